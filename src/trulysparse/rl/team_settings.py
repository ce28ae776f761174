"""What teams can be set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.rl.settings import DEFAULT_EVOLUTION, DQNSettings, checked_evolution
from trulysparse.rl.targets import SoftMellowmax

MAST_OPERATOR = SoftMellowmax()
"""Of the targets by default, as MAST has it."""


@dataclass(frozen=True)
class TeamSettings(DQNSettings):
    """Of IQL and VDN: DQN's, with defaults of their own, and these. A transition is one of the whole team, and a step
    moves all agents.

    Attributes:
        mixer: 'vdn': the values of agents are added up; None: each learns by itself.
        share_parameters: whether all agents have one network, whose inputs end in the agent's number as a one-hot
            vector; False: each has a network of its own.
        soft_mellowmax: a SoftMellowmax in place of the largest value of next actions, and of `double`; None: neither.
        td_lambda: of lambda-returns, 0 (one step) to 1; they take the place of n_steps.
        sequence_length: transitions that follow one another in a batch, a divisor of batch_size; lambda-returns end
            with them.

    Raises:
        InputError: where a value is out of range, or two do not go together.

    Example:
        >>> from trulysparse.rl.team_settings import TeamSettings
        >>> TeamSettings(td_lambda=0.6, sequence_length=8).gamma
        0.95
    """

    hidden_layer_sizes: tuple[int, ...] = (128, 128)
    learning_rate: Any = 5e-4
    buffer_size: int = 100_000
    learning_starts: int = 1_000
    tau: float = 0.01
    gamma: float = 0.95
    batch_size: int = 128
    train_freq: int = 2
    gradient_steps: int = 1
    target_update_interval: int = 1
    exploration_fraction: float = 0.3
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.05
    mixer: str | None = "vdn"
    share_parameters: bool = True
    soft_mellowmax: SoftMellowmax | None = None
    td_lambda: float = 0.0
    sequence_length: int = 1
    _mixers: ClassVar[tuple[str | None, ...]] = ("vdn", None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mixer not in self._mixers:
            raise InputError(f"mixer must be {' or '.join(map(repr, self._mixers))}, not {self.mixer!r:.40}")
        self._set("share_parameters", checks.flag("share_parameters", self.share_parameters))
        self._reals(td_lambda=(0.0, 1.0))
        self._integers(sequence_length=1)
        if self.n_steps != 1:
            raise InputError(f"n_steps must be 1 for teams, not {self.n_steps}: use td_lambda and sequence_length")
        if self.normalize_observations:
            raise InputError("normalize_observations must be False for teams")
        if self.soft_mellowmax is not None and not isinstance(self.soft_mellowmax, SoftMellowmax):
            raise InputError(f"soft_mellowmax must be a SoftMellowmax or None, not {self.soft_mellowmax!r:.80}")
        if self.batch_size % self.sequence_length:
            raise InputError(
                f"sequence_length must divide batch_size ({self.batch_size}), not be {self.sequence_length}"
            )
        if self.td_lambda > 0 and self.sequence_length == 1:
            raise InputError("sequence_length must be at least 2 with td_lambda above 0")
        if self.buffer_size <= self.sequence_length:
            raise InputError(
                f"buffer_size must be larger than sequence_length ({self.sequence_length}), not {self.buffer_size}"
            )


@dataclass(frozen=True)
class IQLSettings(TeamSettings):
    """Of IQL: those of VDN, without a mixer."""

    mixer: str | None = None
    _mixers: ClassVar[tuple[str | None, ...]] = (None,)


@dataclass(frozen=True)
class QMIXSettings(TeamSettings):
    """Of QMIX. Unlike VDN's, its targets are Soft Mellowmax by default: those of the largest values overestimate, the
    mixing network amplifies it, and on simple_spread_v3 values left all bounds after about 15,000 steps (targets
    that follow more slowly, tau=0.002, help too).

    Attributes:
        mixer: 'qmix'.
        soft_mellowmax: see TeamSettings; None: the largest value, as in QMIX's paper.
        mixing_units: neurons of the mixing network's hidden layer, at least 1.
        hypernetwork_size: neurons of the hypernetworks' hidden layers, at least 1.
        mixer_density: of the hypernetworks, in (0, 1].
        mixer_evolution: of the hypernetworks, by updates, an object or a name; None: topologies stay.

    Raises:
        InputError: where a value is out of range, or two do not go together.
    """

    mixer: str | None = "qmix"
    soft_mellowmax: SoftMellowmax | None = MAST_OPERATOR
    mixing_units: int = 32
    hypernetwork_size: int = 64
    mixer_density: float = 0.2
    mixer_evolution: Evolution | None = DEFAULT_EVOLUTION
    _mixers: ClassVar[tuple[str | None, ...]] = ("qmix",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._integers(mixing_units=1, hypernetwork_size=1)
        self._set("mixer_density", checks.real("mixer_density", self.mixer_density, low=0, high=1, low_open=True))
        self._set("mixer_evolution", checked_evolution("mixer_evolution", self.mixer_evolution))


SettingsType = TypeVar("SettingsType", bound=TeamSettings)


def make_settings(kind: type[SettingsType], given: Mapping[str, Any]) -> SettingsType:
    """Settings of a kind.

    Args:
        kind: the class.
        given: what the user wrote, by name; an epsilon takes the place of the default's density.

    Returns:
        All of them.

    Raises:
        InputError: where a name is not known, a value is out of range, or two do not go together.

    Example:
        >>> make_settings(TeamSettings, {"epsilon": 8}).density is None
        True
    """
    names = [each.name for each in fields(kind)]
    for name in given:
        if name not in names:
            raise InputError(f"{name!r} is not a setting of teams; there are {', '.join(names)}")
    values = dict(given)
    if values.get("epsilon") is not None:
        values.setdefault("density", None)
    return kind(**values)
