"""What an environment shows and takes, as numbers: checked once, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError

# The algorithms of one agent, by the kind of actions that they choose.
CONTINUOUS = ("TD3", "SAC")
DISCRETE = ("DQN",)

_FLATTEN = "gymnasium.wrappers.FlattenObservation makes one vector of it"


@dataclass(frozen=True, eq=False)
class Spaces:
    """Sizes and bounds of an environment's observations and actions.

    Args:
        n_observations: numbers in an observation.
        boolean: whether all of them are 0 or 1.
        n_actions: components of a continuous action, or choices of a discrete one.
        discrete: whether an action is a choice.
        low: smallest action, float32 of shape (n_actions,); None where actions are choices.
        high: largest action, likewise.

    Example:
        >>> import numpy as np
        >>> spaces = Spaces(3, False, 1, False, np.float32([-2]), np.float32([2]))
        >>> spaces.in_units(np.float32([[0.5]]))
        array([[1.]], dtype=float32)
    """

    n_observations: int
    boolean: bool
    n_actions: int
    discrete: bool
    low: Floats | None = None
    high: Floats | None = None

    def in_units(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions as the environment takes them.

        Args:
            actions: in [-1, 1], of shape (n_envs, n_actions); or choices.

        Returns:
            A new array: float32 values between `low` and `high`, or choices as they are.
        """
        if self._scale is None:
            return actions.copy()  # environments may keep what they are given
        half, middle = self._scale
        scaled = actions * half
        scaled += middle
        return scaled

    @cached_property
    def _scale(self) -> tuple[Floats, Floats] | None:
        """What makes [-1, 1] the bounds: factor and offset. None where the bounds are -1 and 1."""
        if self.low is None or self.high is None or ((self.low == -1).all() and (self.high == 1).all()):
            return None
        middle = (self.low + self.high) * np.float32(0.5)
        half = (self.high - self.low) * np.float32(0.5)
        # Rounding must not carry the largest action beyond its bound; what lies between is rounded in the same order.
        while (beyond := (middle + half > self.high) | (middle - half < self.low)).any():
            half = np.where(beyond, np.nextafter(half, np.float32(0)), half)
        return half, middle

    def require_same(self, other: Spaces, name: str = "env") -> None:
        """Refuses an environment in which an agent of these spaces cannot act.

        Args:
            other: the environment's spaces.
            name: of the argument that it was given as.

        Raises:
            InputError: where sizes or bounds differ.
        """
        same = (self.n_observations, self.n_actions, self.discrete) == (
            other.n_observations,
            other.n_actions,
            other.discrete,
        )
        for own, given in ((self.low, other.low), (self.high, other.high)):
            same &= own is None or given is None or np.array_equal(own, given)
        if not same or (self.boolean and not other.boolean):  # a replay buffer of bits cannot hold other numbers
            raise InputError(f"{name} must have the spaces of the agent ({self}), not {other}")

    def __str__(self) -> str:
        actions = (
            f"{self.n_actions} choices"
            if self.discrete
            else f"actions of {self.n_actions} component{'s' * (self.n_actions > 1)}"
        )
        if self.low is not None and self.high is not None:
            actions += f" in [{_bound(self.low)}, {_bound(self.high)}]"
        return f"{self.n_observations} observations{' of 0 or 1' * self.boolean} and {actions}"


def _bound(values: Floats) -> str:
    """One number where all are equal."""
    return f"{values[0]:g}" if (values == values[0]).all() else " ".join(f"{value:g}" for value in values)


def checked_spaces(env: Any, algorithm: str = "") -> Spaces:
    """The spaces of an environment that an algorithm can learn in.

    Args:
        env: a Gymnasium environment or vector environment.
        algorithm: 'td3', 'sac' or 'dqn'; '' for any.

    Returns:
        Sizes and bounds.

    Raises:
        InputError: where observations are not one vector (images, dicts, tuples, single choices), actions are unbounded
            or of a kind that the algorithm does not choose. The message names the algorithms that fit.
    """
    observation = _space(env, "observation")
    action = _space(env, "action")
    n_observations, boolean = _observations(observation)
    n_actions, low, high = _actions(action)
    discrete = low is None
    if algorithm:
        check_actions(discrete, algorithm)
    return Spaces(n_observations, boolean, n_actions, discrete, low, high)


def check_actions(discrete: bool, algorithm: str) -> None:
    """Refuses actions of a kind that an algorithm does not choose.

    Args:
        discrete: whether they are choices.
        algorithm: its name, such as 'td3'.

    Raises:
        InputError: where it is for the other kind; the message names the algorithms that fit.
    """
    fitting = DISCRETE if discrete else CONTINUOUS
    if algorithm.upper() not in fitting:
        kind = "choices (Discrete)" if discrete else "continuous (Box)"
        raise InputError(
            f"env's actions are {kind}, which {algorithm.upper()} does not choose: use {' or '.join(fitting)}"
        )


def _space(env: Any, what: str) -> Any:
    """The space of one environment, where `env` may be several."""
    space = getattr(env, f"single_{what}_space", None)
    if space is None:
        space = getattr(env, f"{what}_space", None)
    if space is None:
        raise InputError(f"env must be an environment of Gymnasium, which has {what}_space: not {env!r:.80}")
    return space


def _kind(space: Any) -> str:
    """The name of the space's class, of Gymnasium's own where it is derived from one."""
    names = [each.__name__ for each in type(space).__mro__ if each.__module__.startswith("gymnasium.spaces")]
    return names[0] if names else type(space).__name__


def _observations(space: Any) -> tuple[int, bool]:
    """How many numbers an observation has, and whether all are 0 or 1."""
    kind, shape = _kind(space), space.shape
    if kind not in ("Box", "MultiBinary"):
        raise InputError(f"env's observations must be one vector (Box or MultiBinary), not {kind}: {_FLATTEN}")
    if len(shape) >= 2 and space.dtype == np.uint8:
        raise InputError(f"env's observations are images {shape}: these networks take vectors of numbers")
    if len(shape) != 1 or shape[0] == 0:
        raise InputError(f"env's observations must be one vector, not of shape {shape}: {_FLATTEN}")
    if kind == "MultiBinary" or space.dtype == np.bool_:
        return int(shape[0]), True
    if not (np.issubdtype(space.dtype, np.floating) or np.issubdtype(space.dtype, np.integer)):
        raise InputError(f"env's observations must be numbers, not {space.dtype}")
    # Whole numbers between 0 and 1, as FlattenObservation makes of a choice.
    bits = np.issubdtype(space.dtype, np.integer) and bool((space.low == 0).all() and (space.high == 1).all())
    return int(shape[0]), bits


def _actions(space: Any) -> tuple[int, Floats | None, Floats | None]:
    """How many components an action has and their bounds, or how many choices there are."""
    kind = _kind(space)
    if kind == "Discrete":
        if int(space.start) != 0:
            raise InputError(f"env's choices must be counted from 0, not from {int(space.start)}: wrap it")
        return int(space.n), None, None
    fitting = f"Box ({', '.join(CONTINUOUS)}) or Discrete ({', '.join(DISCRETE)})"
    if kind != "Box":
        raise InputError(f"env's actions must be {fitting}, not {kind}")
    if not np.issubdtype(space.dtype, np.floating):
        raise InputError(f"env's actions must be {fitting}, not a Box of {space.dtype}")
    if space.low.size == 0:
        raise InputError("env's actions have no component")
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = space.low.astype(np.float32).ravel(), space.high.astype(np.float32).ravel()
        finite = np.isfinite(low).all() and np.isfinite(high).all() and np.isfinite(high - low).all()
    if not finite or not (low < high).all():
        raise InputError(
            f"env's actions must have finite bounds, not [{_bound(low)}, {_bound(high)}]: "
            "gymnasium.wrappers.RescaleAction or a Box of your own sets them"
        )
    return low.size, low, high
