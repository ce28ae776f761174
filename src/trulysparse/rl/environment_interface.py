"""What an agent learns in: environments that are stepped together, and what a step gave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.rl.spaces import Spaces

Bools = NDArray[np.bool_]
_SURELY_FINITE = 1e76


class EpisodeEnds(Protocol):
    """The episodes that ended in a step."""

    @property
    def ended(self) -> list[int]:
        """The indices of their environments."""

    @property
    def returns(self) -> list[float]:
        """Sums of their rewards."""

    @property
    def lengths(self) -> list[int]:
        """Their steps."""


class Transition:
    """What one step of all environments gave. The arrays are overwritten by the next step.

    Args:
        n_envs: how many environments.
        n_observations: numbers in an observation.

    Attributes:
        next_observations: what followed the actions, float32 (n_envs, n_observations); of an episode that ended, its
            last observations.
        rewards: float32 (n_envs,).
        terminated: bool (n_envs,); whether the episode came to an end of its own.
        truncated: bool (n_envs,); whether it was cut off.
        first_observations: of the new episode, where one ended.
        valid: bool (n_envs,); False where the step was only a reset: `next_observations` is then the first of the new
            episode, and the first_observations of the step before was not yet known.
        observations: what the next actions are for.
        ended: the indices of the environments whose episodes ended.
        returns: of these episodes, the sum of their rewards.
        lengths: of these episodes, in steps.
        all_valid: whether no step was only a reset.
    """

    __slots__ = (
        "all_valid",
        "ended",
        "first_observations",
        "lengths",
        "next_observations",
        "observations",
        "returns",
        "rewards",
        "terminated",
        "truncated",
        "valid",
    )

    def __init__(self, n_envs: int, n_observations: int) -> None:
        self.next_observations: Floats = np.zeros((n_envs, n_observations), np.float32)
        self.first_observations: Floats = np.zeros((n_envs, n_observations), np.float32)
        self.observations: Floats = self.next_observations
        self.rewards: Floats = np.zeros(n_envs, np.float32)
        self.terminated: Bools = np.zeros(n_envs, np.bool_)
        self.truncated: Bools = np.zeros(n_envs, np.bool_)
        self.valid: Bools = np.ones(n_envs, np.bool_)
        self.ended: list[int] = []
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.all_valid = True


class Environments(ABC):
    """One or several environments that are stepped together.

    What is none of Gymnasium's can be a subclass of its own: agents learn in it without Gymnasium.

    Args:
        env: the Gymnasium environment or vector environment, or whatever a subclass steps.
        spaces: its spaces, checked.
        n_envs: how many environments it is.
        owned: whether `close` closes it.

    Attributes:
        n_steps: steps since the beginning.
        several: whether it is a vector environment.
        id: by which it is registered, or None.
    """

    several = False

    def __init__(self, env: Any, spaces: Spaces, n_envs: int, owned: bool) -> None:
        self.env = env
        self.spaces = spaces
        self.n_envs = n_envs
        self.owned = owned
        self.n_steps = 0
        spec = getattr(env, "spec", None)
        self.id: str | None = None if spec is None else spec.id
        self._transition = Transition(n_envs, spaces.n_observations)
        space = getattr(env, "single_action_space", None) or getattr(env, "action_space", None)
        self._reshape: Callable[[NDArray[Any]], NDArray[Any]] | None = None
        if not spaces.discrete and space is not None and (len(space.shape) != 1 or space.dtype != np.float32):
            shape, dtype = space.shape, space.dtype
            self._reshape = lambda actions: actions.reshape((-1, *shape)).astype(dtype)

    def reset(self, seed: int | None = None) -> Floats:
        """Begins an episode in each environment.

        Args:
            seed: of environments and action spaces; None where their random numbers go on.

        Returns:
            First observations, float32 of shape (n_envs, n_observations).

        Raises:
            InputError: where one of them is not finite or not of the space's shape.
        """
        if seed is not None:
            seed = checks.integer("seed", seed, low=0)
            if hasattr(self.env, "action_space"):
                self.env.action_space.seed(seed)
        self._begin(seed)
        transition = self._transition
        transition.observations = transition.next_observations
        transition.ended, transition.returns, transition.lengths = [], [], []
        transition.terminated[:] = transition.truncated[:] = False
        transition.valid[:] = transition.all_valid = True
        return transition.observations

    @abstractmethod
    def _begin(self, seed: int | None) -> None:
        """Resets, and puts first observations into next_observations."""

    @abstractmethod
    def step(self, actions: NDArray[Any]) -> Transition:
        """Takes one step in each environment.

        Args:
            actions: as the environment takes them, of shape (n_envs, n_actions), or choices of shape (n_envs,); the
                environment may keep them.

        Returns:
            What it gave; overwritten by the next step.

        Raises:
            InputError: where an observation or a reward is not finite, with the step and the index.
        """

    def close(self) -> None:
        """Closes the environment if it was made here."""
        if self.owned:
            self.env.close()

    def _store(self, out: Floats, observations: Any, which: int = 0) -> None:
        """Copies observations (of all environments, or of environment `which`) into float32 memory; InputError where
        they do not fit or are not finite."""
        if type(observations) is np.ndarray and observations.shape == out.shape:
            flat = observations if observations.ndim == 1 else observations.reshape(-1)
            # Where the sum of squares is below this, each number is finite in float32: one call for all of them.
            try:
                square = float(flat.dot(flat))
            except (ValueError, TypeError):  # of no numbers
                square = np.nan
            if square < _SURELY_FINITE:
                out[...] = observations
                return
        self._store_checked(out, observations, which)

    def _store_checked(self, out: Floats, observations: Any, which: int) -> None:
        """As _store, number by number."""
        if (shape := np.shape(observations)) != out.shape:
            shapes = f"{shape[-1:] if out.ndim == 2 else shape}, its space {out.shape[-1:]}"
            raise InputError(f"env's observation at step {self.n_steps} has shape {shapes}")
        try:
            with np.errstate(over="ignore"):
                out[...] = observations
        except (ValueError, TypeError) as error:
            raise InputError(f"env's observation at step {self.n_steps} is not an array of numbers: {error}") from None
        wrong = np.argwhere(~np.isfinite(out))
        if len(wrong) > 0:
            *rows, index = wrong[0]
            raise self._not_finite(f"observation[{index}]", out[tuple(wrong[0])], rows[0] if rows else which)

    def _not_finite(self, what: str, value: Any, which: int) -> InputError:
        where = f" of environment {which}" if self.n_envs > 1 else ""
        return InputError(
            f"env's {what}{where} is {float(value):g} at step {self.n_steps}: it must be finite in float32"
        )
