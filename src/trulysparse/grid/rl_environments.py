"""Homes as environments that the agents of `rl` learn in: home i is environment i. Gymnasium is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.options import of_homes
from trulysparse.grid.step import Step
from trulysparse.rl.environment_interface import Environments, Transition
from trulysparse.rl.spaces import Spaces

REACH = 0.8


class GridEnvironments(Environments):
    """The homes of a GridEnvironment, each an environment of its own.

    An agent's output a in [-1, 1] becomes the action c + (1 - c) a where a is positive and c + (1 + c) a where it is
    negative, with c = reach * s and s what the environment calls start_actions. A network that has learned nothing
    gives about 0, so that its home begins near self-consumption; -1 and 1 are the ends, and nothing in between is cut,
    so that the values of actions have a slope everywhere. The end of the hours is a truncation, as life goes on; a
    power flow without solution terminates.

    Args:
        environment: the homes.
        reach: how near outputs of 0 are to start_actions, 0 to 1.
        choices: values of the battery's component among which an agent chooses, -1 to 1, for DQN; None: continuous
            actions. Other components stay as they start.
        windows: first hours among which each episode's is drawn, of each home (of each community, where its homes have
            to live in the same hours); None: those of the environment.

    Raises:
        InputError: an argument that is not what it must be.

    Example:
        >>> from trulysparse import grid
        >>> homes = grid.GridEnvironment(grid.sample_data(), n_hours=24)
        >>> environments = GridEnvironments(homes)
        >>> observations = environments.reset(seed=0)
        >>> environments.step(np.zeros((6, 1), np.float32)).rewards.shape
        (6,)
        >>> GridEnvironments(homes, choices=(-1, -0.5, 0, 0.5)).spaces.n_actions
        4
    """

    several = True

    def __init__(
        self,
        environment: GridEnvironment,
        *,
        reach: float = REACH,
        choices: Sequence[float] | None = None,
        windows: ArrayLike | None = None,
    ) -> None:
        if not isinstance(environment, GridEnvironment):
            raise InputError(f"environment must be a GridEnvironment, not {environment!r:.80}")
        self.reach = checks.real("reach", reach, low=0, high=1)
        n_actions, n_observations = environment.n_actions, environment.n_observations
        self._choices = None if choices is None else _choices(choices)
        if self._choices is None:
            bound = np.ones(n_actions, np.float32)
            spaces = Spaces(n_observations, False, n_actions, False, -bound, bound)
        else:
            spaces = Spaces(n_observations, False, len(self._choices), True)
        super().__init__(environment, spaces, environment.n_homes, False)
        start = environment.start_actions
        self._offset: Floats = np.float32(self.reach) * start
        self._up, self._down = 1 - self._offset, 1 + self._offset
        self._given: Floats = np.tile(start, (environment.n_homes, 1))
        self._windows = None if windows is None else self._checked_windows(windows)
        self._rng = np.random.default_rng(0)
        self._returns: NDArray[np.float64] = np.zeros(self.n_envs)
        self._length = 0

    def _begin(self, seed: int | None) -> None:
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        np.copyto(self._transition.next_observations, self._new_episode(seed))

    def _new_episode(self, seed: int | None = None) -> Floats:
        self._returns[:] = 0
        self._length = 0
        first = None
        if self._windows is not None:
            groups = self.env.groups if self.env.same_hours else self.n_envs
            drawn = self._windows[self._rng.integers(len(self._windows), size=groups)]
            first = np.repeat(drawn, self.n_envs // groups)
        observations: Floats = self.env.reset(seed, first)
        return observations

    def step(self, actions: NDArray[Any]) -> Transition:
        """See Environments.step."""
        transition, given = self._transition, self._given
        if self._choices is None:
            self._spread(actions, given)
        else:
            self._choices.take(actions, out=given[:, 0])
        step = self.env.step(given)
        self.n_steps += 1
        np.copyto(transition.next_observations, step.observations)
        np.copyto(transition.rewards, self.rewards_of(step))
        self._returns += step.rewards
        self._length += 1
        if step.ended:
            transition.terminated[:] = bool(step.diverged)
            transition.truncated[:] = not step.diverged
            transition.ended = list(range(self.n_envs))
            transition.returns, transition.lengths = self._returns.tolist(), [self._length] * self.n_envs
            np.copyto(transition.first_observations, self._new_episode())
            transition.observations = transition.first_observations
        elif transition.ended:
            transition.ended, transition.returns, transition.lengths = [], [], []
            transition.terminated[:] = transition.truncated[:] = False
            transition.observations = transition.next_observations
        return transition

    def actions_of(self, outputs: ArrayLike) -> Floats:
        """What outputs of an agent mean to the GridEnvironment.

        Args:
            outputs: (H, components) in [-1, 1], or choices (H,).

        Returns:
            float32 (H, components), a new array, for GridEnvironment.step.
        """
        outputs = np.asarray(outputs)
        if self._choices is not None:
            given = self._given.copy()
            given[:, 0] = self._choices[outputs]
            return given
        actions: Floats = np.empty(outputs.shape, np.float32)
        self._spread(np.clip(outputs, -1, 1), actions)
        return actions

    def rewards_of(self, step: Step) -> NDArray[np.floating]:
        """The rewards of a step that agents learn from, (H,): those of the environment."""
        return step.rewards

    def _spread(self, outputs: NDArray[Any], out: Floats) -> None:
        """Outputs in [-1, 1] as actions."""
        np.multiply(outputs, np.where(outputs > 0, self._up, self._down), out=out, casting="same_kind")
        out += self._offset

    def _checked_windows(self, windows: ArrayLike) -> NDArray[np.int64]:
        given = np.asarray(windows)
        if given.ndim != 1 or given.size == 0 or not np.issubdtype(given.dtype, np.integer):
            raise InputError(f"windows must be rows of the data, at least one, not {windows!r:.80}")
        last = self.env.scenario.n_hours - self.env.n_hours
        if given.min() < 0 or given.max() > last:
            raise InputError(
                f"windows must lie between 0 and {last}, from where {self.env.n_hours} hours are left, not "
                f"{given.min()} to {given.max()}"
            )
        return given.astype(np.int64)


def _choices(choices: Sequence[float]) -> Floats:
    values = checks.listed("choices", choices, "numbers between -1 and 1")
    if len(values) < 2:
        raise InputError(f"choices must be at least two values of the battery's component, not {len(values)}")
    return of_homes("choices", values, len(values), -1, 1).astype(np.float32)
