"""ReplayBuffer: transitions of one or several environments, each observation stored once."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.rl.rings import TERMINATES, Rings

Doubles = NDArray[np.float64]


class ReplayBuffer(Rings):
    """Transitions of one or several environments, in a ring of slots for each.

    A slot holds an observation, and the action and reward that followed it. The observation after it is that of the
    next slot, so that each is stored once. An episode's last observation has a slot of its own, which starts no
    transition: an episode of n steps takes n + 1 slots. A full ring forgets its oldest slot with each new one.

    Args:
        capacity: slots of all environments together, at least 3 for each; each environment has an equal share.
        n_observations: values of an observation, at least 1.
        n_actions: values of an action, stored as float32; 0: one whole number, stored as int32.
        n_envs: environments that step together, at least 1.
        boolean: whether observations are zeros and ones, stored as bits; else they are float32.
        n_steps: rewards that are added up from a transition on, at least 1, before the value of what follows.
        gamma: discount per step, 0 to 1.
        folder: where memory-mapped files stand for memory; it is made where it is missing. The files have no names:
            they take space there and go with the buffer, however the process ends. None: in memory.

    Attributes:
        n_transitions: how many there are.
        nbytes: memory, or space in the folder, of a full buffer; the system gives it as it is filled.
        n_steps, gamma: as given; they may be changed at any time, as they count when transitions are drawn.

    Raises:
        InputError: where an argument is out of range, or folder is a file.
        NotEnoughMemoryError: where memory cannot hold the full buffer; nothing is allocated then.
        OSError: where the disk cannot.

    Source:
        Lin, "Self-improving reactive agents based on reinforcement learning, planning and teaching" (1992).

    Example:
        An episode of three steps in an environment that counts them:

        >>> import numpy as np
        >>> from trulysparse.rl.replay import ReplayBuffer
        >>> replay = ReplayBuffer(100, 1, n_actions=0)
        >>> replay.start(np.zeros((1, 1)))
        >>> for step in range(1, 4):
        ...     replay.add([7], [step / 10], [[step]], [step == 3], [False], [[0]])
        >>> replay.n_transitions
        3
        >>> before, after = np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)
        >>> actions = np.zeros(16, np.int32)
        >>> rewards, discounts = replay.sample(np.random.default_rng(0), 4, before, actions, after)
        >>> before[0, :4], after[0, :4]
        (array([1., 0., 2., 1.], dtype=float32), array([2., 1., 3., 2.], dtype=float32))
        >>> rewards[:4], discounts[:4]
        (array([0.2, 0.1, 0.3, 0.2], dtype=float32), array([0.99, 0.99, 0.  , 0.99], dtype=float32))
    """

    def __init__(
        self,
        capacity: int,
        n_observations: int,
        *,
        n_actions: int,
        n_envs: int = 1,
        boolean: bool = False,
        n_steps: int = 1,
        gamma: float = 0.99,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(capacity, n_observations, n_actions=n_actions, n_envs=n_envs, boolean=boolean, folder=folder)
        self.n_steps = checks.integer("n_steps", n_steps, low=1)
        self.gamma = checks.real("gamma", gamma, low=0, high=1)

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
        """Draws transitions, each as likely as any other, with replacement, into rows of the inputs of networks.

        Of n_steps > 1, rewards are added up until the window's or the episode's end, or the newest observation.

        Args:
            rng: that they are drawn with; the same bits for the same state of it.
            batch_size: at least 1, at most the columns of the arrays.
            observations: (n_observations, columns), written to; columns beyond batch_size become 0.
            actions: likewise (n_actions, columns), or (columns,) int32.
            next_observations: likewise (n_observations, columns): those after the last reward.
            offset: (n_observations,), what is subtracted from observations; None: they stay as they are.
            factor: (n_observations,), what they are multiplied by then.

        Returns:
            Rewards, and what the value of next_observations counts: gamma to the number of rewards, 0 after the end of
            a terminated episode. Both (columns,), 0 beyond batch_size.

        Raises:
            InputError: where there is no transition.
        """
        rows = self.draw(rng, batch_size)
        last, summed, discounts = self._window(rows)
        self.read(rows, observations, actions, offset=offset, factor=factor)
        self._load(self._after(last), next_observations, offset, factor)
        columns = next_observations.shape[1]
        both = np.zeros((2, columns), np.float32)
        both[0, :batch_size], both[1, :batch_size] = summed, discounts
        return both[0], both[1]

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draws the rows of transitions, for `read`.

        Args:
            rng: that they are drawn with.
            size: how many.

        Returns:
            (size,) row numbers.

        Raises:
            InputError: where there is no transition.
        """
        if not self.n_transitions:
            raise InputError("sample needs at least one transition, but the replay buffer is empty")
        n_held = int(self._filled.sum()) if self.n_envs > 1 else self._filled.item(0)
        rows = self._held(rng.integers(0, n_held, size))
        while True:  # until none of them is a slot that starts no transition, of which each episode has one
            kinds = self._kinds.take(rows)
            if np.count_nonzero(kinds) == size:
                return rows
            missing = np.flatnonzero(kinds == 0)
            rows[missing] = self._held(rng.integers(0, n_held, len(missing)))

    def read(
        self,
        rows: NDArray[np.int64],
        observations: Floats,
        actions: NDArray[Any] | None = None,
        *,
        offset: Doubles | None = None,
        factor: Doubles | None = None,
    ) -> None:
        """Copies observations and actions into rows of the inputs of networks.

        Args:
            rows: as `draw` and `oldest` return them.
            observations: (n_observations, columns), see `sample`.
            actions: (n_actions, columns), or (columns,) int32; None: not wanted.
            offset: see `sample`.
            factor: see `sample`.
        """
        self._load(rows, observations, offset, factor)
        if actions is None:
            return
        if self.n_actions:
            _kernels.load_dense(self._actions, rows, None, None, actions, 1)
        else:
            actions[: len(rows)] = self._actions[rows]
            actions[len(rows) :] = 0

    def _load(self, rows: NDArray[np.int64], out: Floats, offset: Doubles | None, factor: Doubles | None) -> None:
        if not self.boolean:
            _kernels.load_dense(self._observations, rows, offset, factor, out, 1)
            return
        values = np.unpackbits(self._observations[rows], axis=1, count=self.n_observations)
        _kernels.load_dense(values, np.arange(len(rows)), offset, factor, out, 1)

    def _window(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """The last transition of the window that each row begins, its rewards and its discount."""
        gamma = np.float32(self.gamma)
        if self.n_steps == 1:
            return rows, self._rewards[rows], (self._kinds.take(rows) != TERMINATES) * gamma
        steps = np.arange(self.n_steps)[:, None]
        window = (rows + steps * self.n_envs) % self._rows
        # What follows the end of an episode, or is the newest, starts nothing; what follows that is not looked at.
        counts = np.logical_and.accumulate(self._kinds.take(window) != 0, axis=0)
        rewards = np.where(counts, self._rewards[window], np.float32(0)) * gamma ** steps.astype(np.float32)
        lengths = np.count_nonzero(counts, axis=0)
        last = window[lengths - 1, np.arange(len(rows))]
        discounts = (self._kinds.take(last) != TERMINATES) * gamma ** lengths.astype(np.float32)
        return last, rewards.sum(axis=0), discounts
