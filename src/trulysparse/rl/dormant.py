"""How many neurons of an agent's networks do next to nothing."""

from __future__ import annotations

from collections.abc import Iterable

from trulysparse._core import checks
from trulysparse.evolution.recycle import dormant_neurons
from trulysparse.rl.learner import Learner

TAU = 0.025
"""The threshold of Sokar et al. (2023)."""


def dormant_share(learners: Iterable[Learner], tau: float = TAU) -> float:
    """Share of the hidden neurons that are dormant on the learners' latest batch: those whose mean |activation| is at
    most tau times the mean over their layer, of the same agent.

    It costs a forward pass of each network, on what is in `learner.x`: enough for a log once in a while. Parameters
    stay as they are; activations of a pass that waits for its backward pass are lost.

    Args:
        learners: whose networks count; targets do not.
        tau: at least 0.

    Returns:
        0 to 1.

    Raises:
        InputError: where tau is below 0.

    Source:
        Sokar, Agarwal, Castro and Evci, "The dormant neuron phenomenon in deep reinforcement learning", ICML 2023,
        definition 3.1.

    Example:
        >>> from trulysparse.rl.dormant import dormant_share
        >>> from trulysparse.rl.learner import Learner
        >>> twins = Learner((4, 32, 1), batch_size=16, n_networks=2, density=0.5, seed=0)
        >>> twins.x[:] = 1.0
        >>> twins.nets[0].layers[0].bias[:8] = -100  # a quarter of one of two hidden layers
        >>> share = dormant_share([twins], tau=0.0)
        >>> 0.125 <= share < 1
        True
    """
    checks.real("tau", tau, low=0)
    dormant = neurons = 0
    for learner in learners:
        learner.forward()
        for number in range(len(learner.nets)):
            for values in learner.hidden(number):
                dormant += int(dormant_neurons(values[..., : learner.batch_size], tau).sum())
                neurons += values[..., 0].size
    return dormant / max(1, neurons)
