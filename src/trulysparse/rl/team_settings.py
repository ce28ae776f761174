"""What teams can be set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import SET, Evolution
from trulysparse.rl.presets import checked_evolution
from trulysparse.rl.settings import Density
from trulysparse.rl.targets import SoftMellowmax

DEFAULT_EVOLUTION = SET(0.05, every_updates=1000, until=0.8)


@dataclass(frozen=True)
class TeamSettings:
    """Of IQL and VDN; the names are those of Stable-Baselines3 where it has them.

    Attributes:
        share_parameters: whether all agents have one network, whose inputs end in the agent's number as a one-hot
            vector; False: each has a network of its own.
        hidden_sizes: neurons of the hidden layers.
        density: of the agents' networks, in (0, 1], or one per layer; None where epsilon is given.
        epsilon: Erdős-Rényi sparsity, or one per layer; None where density is given.
        densities: how one density is divided among layers, 'erk' or 'uniform'.
        evolution: by updates; None: topologies stay.
        evolving: numbers of the layers that evolve; None: all but the output layer.
        learning_rate: Adam's.
        max_grad_norm: of the gradient of each network; None: as it is.
        buffer_size: moments that the replay holds.
        learning_starts: steps with random actions before the first update.
        batch_size: transitions of the whole team per update.
        tau: share of the online networks that the targets take in, 1: all of it.
        target_update_interval: updates between those of the targets.
        gamma: discount.
        train_freq: steps between updates.
        gradient_steps: updates each time.
        exploration_fraction: share of training in which the share of random actions falls.
        exploration_initial_eps: that share at the start.
        exploration_final_eps: and at the end.
        double_q: whether next actions are those that the online networks find best; False: the targets.
        soft_mellowmax: in place of the largest value of next actions; None: the largest.
        td_lambda: of lambda-returns, 0 (one step) to 1.
        sequence_length: transitions that follow one another in a batch, a divisor of batch_size; lambda-returns end
            with them.
    """

    share_parameters: bool = True
    hidden_sizes: tuple[int, ...] = (128, 128)
    density: Density | None = 0.2
    epsilon: Density | None = None
    densities: str = "erk"
    evolution: Evolution | None = DEFAULT_EVOLUTION
    evolving: tuple[int, ...] | None = None
    learning_rate: float = 5e-4
    max_grad_norm: float | None = None
    buffer_size: int = 100_000
    learning_starts: int = 1_000
    batch_size: int = 128
    tau: float = 0.01
    target_update_interval: int = 1
    gamma: float = 0.95
    train_freq: int = 2
    gradient_steps: int = 1
    exploration_fraction: float = 0.3
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.05
    double_q: bool = True
    soft_mellowmax: SoftMellowmax | None = None
    td_lambda: float = 0.0
    sequence_length: int = 1


@dataclass(frozen=True)
class QMIXSettings(TeamSettings):
    """Of QMIX.

    Attributes:
        mixing_units: neurons of the mixing network's hidden layer.
        hypernetwork_size: neurons of the hypernetworks' hidden layers.
        mixer_density: of the hypernetworks, in (0, 1].
        mixer_evolution: of the hypernetworks, by updates; None: topologies stay.
    """

    mixing_units: int = 32
    hypernetwork_size: int = 64
    mixer_density: float = 0.2
    mixer_evolution: Evolution | None = DEFAULT_EVOLUTION


SettingsType = TypeVar("SettingsType", bound=TeamSettings)


def checked_settings(base: SettingsType, given: Mapping[str, Any]) -> SettingsType:
    """Settings with some replaced.

    Args:
        base: the algorithm's own.
        given: what the user wrote, by name; evolutions as objects, names or None.

    Returns:
        All of them.

    Raises:
        InputError: where a name is not known, a value is out of range, or two do not go together.

    Example:
        >>> checked_settings(TeamSettings(), {"epsilon": 8}).density is None
        True
    """
    names = [each.name for each in fields(base)]
    for name in given:
        if name not in names:
            raise InputError(f"{name!r} is not a setting; there are {', '.join(names)}")
    values = dict(given)
    if given.get("density") is not None and given.get("epsilon") is not None:
        raise InputError("epsilon cannot be combined with density, which takes its place")
    if given.get("epsilon") is not None:
        values["density"] = None
    for name in ("evolution", "mixer_evolution"):
        if name in given:
            values[name] = checked_evolution(name, given[name])
    if "hidden_sizes" in given:
        values["hidden_sizes"] = tuple(checks.listed("hidden_sizes", given["hidden_sizes"], "integers"))
    s = replace(base, **values)
    for name in ("share_parameters", "double_q"):
        checks.flag(name, getattr(s, name))
    for name in ("batch_size", "target_update_interval", "train_freq", "gradient_steps", "sequence_length"):
        checks.integer(name, getattr(s, name), low=1)
    checks.integer("learning_starts", s.learning_starts, low=0)
    for name in ("gamma", "td_lambda", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps"):
        checks.real(name, getattr(s, name), low=0, high=1)
    checks.real("tau", s.tau, low=0, high=1, low_open=True)
    if isinstance(s, QMIXSettings):
        checks.integer("mixing_units", s.mixing_units, low=1)
        checks.integer("hypernetwork_size", s.hypernetwork_size, low=1)
    if s.soft_mellowmax is not None and not isinstance(s.soft_mellowmax, SoftMellowmax):
        raise InputError(f"soft_mellowmax must be a SoftMellowmax or None, not {s.soft_mellowmax!r:.80}")
    if s.soft_mellowmax is not None and given.get("double_q"):
        raise InputError("double_q cannot be combined with soft_mellowmax, which chooses no action")
    if s.batch_size % s.sequence_length:
        raise InputError(f"sequence_length must divide batch_size ({s.batch_size}), not be {s.sequence_length}")
    if s.td_lambda > 0 and s.sequence_length == 1:
        raise InputError("sequence_length must be at least 2 with td_lambda above 0")
    if s.buffer_size <= s.sequence_length:
        raise InputError(f"buffer_size must be larger than sequence_length ({s.sequence_length}), not {s.buffer_size}")
    return s
