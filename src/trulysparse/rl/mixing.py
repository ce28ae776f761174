"""QMIX's mixing: agents' values to the team's value, which rises with each of them; and its gradient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating]


class MixingParameters(NamedTuple):
    """The mixing network's parameters, one set per sample, as hypernetworks give them.

    Args:
        w1: (n_agents * n_units, n_samples), of the first layer, agent by agent; their magnitudes are used.
        b1: (n_units, n_samples).
        w2: (n_units, n_samples), of the second layer; likewise.
        b2: (1, n_samples).
    """

    w1: Reals
    b1: Reals
    w2: Reals
    b2: Reals


class Mixed(NamedTuple):
    """What `mix` leaves for `mix_gradient`.

    Args:
        total: (n_samples,) the team's values.
        hidden: (n_units, n_samples) values of the first layer, after ELU.
    """

    total: Reals
    hidden: Reals


def mix(values: Reals, parameters: MixingParameters) -> Mixed:
    """The team's value, |w2| . elu(|w1| values + b1) + b2.

    Args:
        values: (n_agents, n_samples) of the agents' actions.
        parameters: of the mixing network.

    Returns:
        The team's values, and the first layer's.

    Source:
        Rashid et al., "QMIX: monotonic value function factorisation for deep multi-agent reinforcement learning",
        ICML 2018, section 4 and figure 2.

    Example:
        >>> import numpy as np
        >>> from trulysparse.rl.mixing import MixingParameters, mix
        >>> ones = np.ones((2, 1))
        >>> parameters = MixingParameters(w1=-np.ones((4, 1)), b1=ones, w2=ones, b2=np.zeros((1, 1)))
        >>> mix(np.array([[2.0], [3.0]]), parameters).total  # twice 2 + 3 + 1
        array([12.])
    """
    n_agents, n_samples = values.shape
    w1 = np.abs(parameters.w1).reshape(n_agents, -1, n_samples)
    before = np.einsum("ib,imb->mb", values, w1) + parameters.b1
    hidden = np.where(before > 0, before, np.expm1(np.minimum(before, 0)))
    total = np.einsum("mb,mb->b", np.abs(parameters.w2), hidden) + parameters.b2[0]
    return Mixed(total, hidden)


def mix_gradient(
    d_total: Reals, mixed: Mixed, values: Reals, parameters: MixingParameters
) -> tuple[Reals, MixingParameters]:
    """The way back through `mix`.

    Args:
        d_total: (n_samples,) the gradient of the loss at the team's values.
        mixed: what `mix` returned for values and parameters.
        values: see `mix`.
        parameters: see `mix`.

    Returns:
        The gradient at values and at parameters, in arrays of their shapes.
    """
    n_agents, n_samples = values.shape
    w1 = parameters.w1.reshape(n_agents, -1, n_samples)
    slope = np.where(mixed.hidden > 0, 1, mixed.hidden + 1)  # of ELU, by its value
    d_hidden = np.abs(parameters.w2) * d_total * slope
    d_values = np.einsum("imb,mb->ib", np.abs(w1), d_hidden)
    d_w1 = np.sign(w1) * values[:, None] * d_hidden
    d_w2 = np.sign(parameters.w2) * mixed.hidden * d_total
    return d_values, MixingParameters(d_w1.reshape(parameters.w1.shape), d_hidden, d_w2, d_total[None])
