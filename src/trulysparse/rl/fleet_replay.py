"""FleetReplay: a replay buffer of many agents, each of which draws from what it has lived through itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.rl.replay import Doubles, ReplayBuffer


class FleetReplay(ReplayBuffer):
    """Transitions of one agent per environment. Draws are as ReplayBuffer's, but a batch per agent, of its own ring.

    Args:
        capacity: see ReplayBuffer; of all agents together.
        n_observations: see there.
        threads: that gather batches, at least 1; the same bits for any number.
        options: see ReplayBuffer, whose other arguments these are.

    Example:
        Two agents, of which each sees its own number:

        >>> import numpy as np
        >>> from trulysparse.rl.fleet_replay import FleetReplay
        >>> replay = FleetReplay(100, 1, n_actions=1, n_envs=2)
        >>> own = np.float32([[10], [20]])
        >>> replay.start(own)
        >>> for step in range(1, 4):
        ...     replay.add(own / 100, [step, -step], own + step, [False] * 2, [False] * 2, own)
        >>> before, actions, after = (np.zeros((2, 1, 16), np.float32) for _ in range(3))
        >>> rewards, discounts = replay.sample(np.random.default_rng(0), 3, before, actions, after)
        >>> rewards[:, :3].tolist()
        [[1.0, 3.0, 3.0], [-2.0, -2.0, -1.0]]
        >>> before[:, 0, :3].tolist()
        [[10.0, 12.0, 12.0], [21.0, 21.0, 20.0]]
    """

    def __init__(self, capacity: int, n_observations: int, *, threads: int = 1, **options: Any) -> None:
        super().__init__(capacity, n_observations, **options)
        self._threads = checks.thread_count(threads)

    def sample(
        self,
        rng: np.random.Generator,
        batch_size: int,
        observations: Floats,
        actions: NDArray[Any],
        next_observations: Floats,
        *,
        offset: Doubles | None = None,
        factor: Doubles | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draws transitions for each agent, see ReplayBuffer.sample.

        Args:
            rng: that they are drawn with.
            batch_size: per agent, at least 1, at most the columns of the arrays.
            observations: (n_agents, n_observations, columns), written to; columns beyond batch_size become 0.
            actions: likewise (n_agents, n_actions, columns), or (n_agents, columns) int32.
            next_observations: likewise (n_agents, n_observations, columns).
            offset: (n_agents, n_observations), what is subtracted from observations; None: they stay as they are.
            factor: (n_agents, n_observations), what they are multiplied by then.

        Returns:
            Rewards and discounts, (n_agents, columns) each, 0 beyond batch_size.

        Raises:
            InputError: where an agent has no transition.
        """
        rows = self.draw(rng, batch_size)
        last, summed, discounts = self._window(rows.ravel())
        self._load_each(rows, observations, offset, factor)
        self._load_each(self._after(last).reshape(rows.shape), next_observations, offset, factor)
        if self.n_actions:
            _kernels.load_fleet(self._actions, rows, None, None, actions, self._threads)
        else:
            actions[:, :batch_size] = self._actions[rows]
            actions[:, batch_size:] = 0
        both = np.zeros((2, self.n_envs, next_observations.shape[-1]), np.float32)
        both[0, :, :batch_size], both[1, :, :batch_size] = summed.reshape(rows.shape), discounts.reshape(rows.shape)
        return both[0], both[1]

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draws the rows of transitions of each agent.

        Args:
            rng: that they are drawn with.
            size: how many per agent.

        Returns:
            (n_agents, size) row numbers.

        Raises:
            InputError: where an agent has no transition.
        """
        n_held, agents = self._filled[:, None], self._envs[:, None]
        if (self._filled < 2).any():
            agent = int(np.argmin(self._filled))
            raise InputError(f"sample needs a transition of each agent, but agent {agent} has none")
        oldest = self._newest[:, None] - n_held + 1
        rows = self._row(agents, (rng.integers(0, n_held, (self.n_envs, size)) + oldest) % self._slots)
        while True:  # until none of them is a slot that starts no transition, of which each episode has one
            missing = np.flatnonzero(self._kinds.take(rows.ravel()) == 0)
            if not len(missing):
                return rows
            envs = missing // size
            numbers = rng.integers(0, self._filled[envs])
            rows.ravel()[missing] = self._row(envs, (numbers + oldest[envs, 0]) % self._slots)

    def _load_each(self, rows: NDArray[np.int64], out: Floats, offset: Doubles | None, factor: Doubles | None) -> None:
        """Copies the observations of rows (n_agents, size) into (n_agents, n_observations, columns)."""
        if self.boolean:
            values = np.unpackbits(self._observations[rows.ravel()], axis=1, count=self.n_observations)
            numbers = np.arange(rows.size).reshape(rows.shape)
            _kernels.load_fleet(values, numbers, offset, factor, out, self._threads)
        else:
            _kernels.load_fleet(self._observations, rows, offset, factor, out, self._threads)
