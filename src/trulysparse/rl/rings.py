"""Rings: slots for the transitions of environments, written to as these step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks, memory
from trulysparse._core.lazy_zeros import lazy_zeros
from trulysparse.errors import InputError
from trulysparse.io.kept_models import fill

STARTS, TERMINATES = 1, 2
"""What a slot does; 0: it starts no transition."""

_ADVICE = "choose a smaller buffer_size, or a replay_folder, for memory-mapped files"


class Rings:
    """A ring of slots for each environment; see ReplayBuffer, which reads from them.

    Args:
        capacity: see ReplayBuffer, as all that follow.
        n_observations: see there.
        n_actions: see there.
        n_envs: see there.
        boolean: see there.
        folder: see there.

    Attributes:
        n_transitions: how many there are.
        nbytes: memory, or space in the folder, when all slots are filled.

    Raises:
        InputError: where an argument is out of range, or folder is a file.
        NotEnoughMemoryError: where memory cannot hold all slots; nothing is allocated then.
        OSError: where the disk cannot.
    """

    def __init__(
        self,
        capacity: int,
        n_observations: int,
        *,
        n_actions: int,
        n_envs: int,
        boolean: bool,
        folder: str | os.PathLike[str] | None,
    ) -> None:
        self.n_envs = checks.integer("n_envs", n_envs, low=1)
        self.capacity = checks.integer("capacity", capacity, low=3 * self.n_envs)
        self.n_observations = checks.integer("n_observations", n_observations, low=1)
        self.n_actions = checks.integer("n_actions", n_actions, low=0)
        self.boolean = checks.flag("boolean", boolean)
        self._slots = self.capacity // self.n_envs
        self._rows = self._slots * self.n_envs  # slot s of environment e is row s * n_envs + e of each array
        # What belongs to a slot lies together: it is read at random places, and each costs a wait for memory.
        floats = (0 if self.boolean else self.n_observations) + max(1, self.n_actions) + 1
        shapes = {"slots": (self._rows, floats, "f4"), "kinds": (self._rows, 1, "u1")}
        if self.boolean:
            shapes["bits"] = (self._rows, -(-self.n_observations // 8), "u1")
        self.nbytes = sum(rows * width * np.dtype(kind).itemsize for rows, width, kind in shapes.values())
        if folder is None:
            memory.require(self.nbytes, f"a replay buffer of {self.capacity:,} slots", _ADVICE)
        self._arrays = {name: lazy_zeros(*shape, folder, "a replay buffer") for name, shape in shapes.items()}
        slots, kinds = self._arrays["slots"], self._arrays["kinds"][:, 0]
        self._arrays["kinds"] = kinds
        self._observations = self._arrays["bits"] if self.boolean else slots[:, : self.n_observations]
        self._actions = slots[:, -1 - self.n_actions : -1] if self.n_actions else slots[:, -2].view(np.int32)
        self._rewards, self._kinds = slots[:, -1], kinds
        self._envs = np.arange(self.n_envs)
        self._newest = np.full(self.n_envs, -1)  # slot, of each environment; it has no action yet
        self._filled = np.zeros(self.n_envs, np.int64)  # slots that are held, up to the newest
        self._used = 0  # rows that were ever written to are before it
        self.n_transitions = 0

    # ---- writing ----

    def start(self, observations: ArrayLike) -> None:
        """Takes the first observations after all environments were reset. Episodes that had not ended end here, as if
        they were truncated.

        Args:
            observations: (n_envs, n_observations).
        """
        before = self._row(self._envs, (self._newest - 1) % self._slots)
        fresh = (self._filled > 0) & ((self._filled == 1) | (self._kinds[before] == 0))  # nothing leads to the newest
        self._push(self._envs[~fresh])
        self._set_newest(self._envs, np.asarray(observations))

    def add(
        self,
        actions: ArrayLike,
        rewards: ArrayLike,
        next_observations: ArrayLike,
        terminated: ArrayLike,
        truncated: ArrayLike,
        first_observations: ArrayLike,
        valid: ArrayLike | None = None,
    ) -> None:
        """Takes a step of each environment.

        Args:
            actions: (n_envs, n_actions), or (n_envs,) whole numbers.
            rewards: (n_envs,).
            next_observations: (n_envs, n_observations), the true following ones: of an episode that ended, its last.
            terminated: (n_envs,) booleans: nothing of value follows.
            truncated: (n_envs,) booleans: the episode ended, but what follows has a value.
            first_observations: (n_envs, n_observations), of the new episode; read where one ended.
            valid: (n_envs,) booleans, False where the step only reset the environment: its next_observations are
                those that the new episode begins with, in place of the first_observations before. None: all are.
        """
        actions, rewards = np.asarray(actions), np.asarray(rewards)
        observations, first = np.asarray(next_observations), np.asarray(first_observations)
        terminated, truncated = np.asarray(terminated), np.asarray(truncated)
        if self.n_envs == 1 and valid is None:
            self._add_one(actions, rewards, observations, bool(terminated[0]), bool(truncated[0]), first)
            return
        envs = self._envs
        if valid is not None and not np.all(valid):
            only_reset = np.flatnonzero(~np.asarray(valid))
            self._set_newest(only_reset, observations[only_reset])
            envs = np.flatnonzero(valid)
        rows = self._row(envs, self._newest[envs])
        self._actions[rows], self._rewards[rows] = actions[envs], rewards[envs]
        self._kinds[rows] = np.where(terminated[envs], TERMINATES, STARTS)
        self.n_transitions += len(envs)
        self._push(envs)
        self._set_newest(envs, observations[envs])
        ended = envs[(terminated | truncated)[envs]]
        if len(ended):
            self._push(ended)
            self._set_newest(ended, first[ended])

    def _add_one(
        self,
        actions: NDArray[Any],
        rewards: NDArray[Any],
        observations: NDArray[Any],
        terminated: bool,
        truncated: bool,
        first: NDArray[Any],
    ) -> None:
        """`add` of a single environment, where arrays of row numbers would take most of the time."""
        row = self._newest.item(0)
        self._actions[row] = actions[0]
        self._rewards[row] = rewards[0]
        self._kinds[row] = TERMINATES if terminated else STARTS
        self.n_transitions += 1
        for each in (observations, first) if terminated or truncated else (observations,):
            row = row + 1 if row + 1 < self._rows else 0
            if self._kinds[row]:
                self._kinds[row] = 0
                self.n_transitions -= 1
            self._observations[row] = self._stored(each[0])
            if self._filled.item(0) < self._slots:
                self._filled[0] += 1
            self._used = max(self._used, row + 1)
        self._newest[0] = row

    def _push(self, envs: NDArray[np.int64]) -> None:
        """Goes on to the next slot of some environments, which loses what it held."""
        slots = (self._newest[envs] + 1) % self._slots
        rows = self._row(envs, slots)
        self.n_transitions -= int(np.count_nonzero(self._kinds[rows]))
        self._kinds[rows] = 0
        self._newest[envs] = slots
        self._filled[envs] = np.minimum(self._filled[envs] + 1, self._slots)
        self._used = max(self._used, int(rows.max(initial=-1)) + 1)

    def _set_newest(self, envs: NDArray[np.int64], observations: NDArray[Any]) -> None:
        self._observations[self._row(envs, self._newest[envs])] = self._stored(observations)

    def _stored(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Observations as they are stored: bits, where they are boolean."""
        return np.packbits(observations != 0, axis=-1) if self.boolean else observations

    def _row(self, envs: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.int64]:
        return slots * self.n_envs + envs

    # ---- rows ----

    def _after(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of the slots that follow."""
        return (rows + self.n_envs) % self._rows

    def _held(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the slots that are held, by number, each once."""
        if self.n_envs == 1:
            oldest = self._newest.item(0) - self._filled.item(0) + 1
            all_held = oldest == 0 or self._filled.item(0) == self._slots
            return numbers if all_held else (numbers + oldest) % self._slots
        ends = np.cumsum(self._filled)
        envs = np.searchsorted(ends, numbers, side="right")
        return self._row(envs, (numbers + (self._newest + 1 - ends)[envs]) % self._slots)

    # ---- the oldest ----

    def oldest(self, n: int) -> NDArray[np.int64]:
        """The rows of the oldest transitions, for `read`; of several environments, those of each slot together.

        Args:
            n: how many, at least 0; all, where there are fewer.

        Returns:
            Row numbers, the oldest first.
        """
        n, ahead = min(checks.integer("n", n, low=0), self.n_transitions), 64
        oldest, rows = self._newest - self._filled + 1, np.empty(0, np.int64)
        while len(rows) < n:
            ahead = min(2 * max(n // self.n_envs, ahead), self._slots)
            numbers = np.arange(ahead)[:, None]
            rows = self._row(self._envs, (oldest + numbers) % self._slots)
            rows = rows[(numbers < self._filled) & (self._kinds[rows] != 0)]
        return rows[:n]

    def drop_oldest(self, n: int) -> None:
        """Forgets the oldest transitions; their slots are free for new ones.

        Args:
            n: how many, at least 0; all, where there are fewer.
        """
        rows = self.oldest(n)
        slots, envs = np.divmod(rows, self.n_envs)
        gone = np.zeros(self.n_envs, np.int64)
        np.maximum.at(gone, envs, (slots - (self._newest - self._filled + 1)[envs]) % self._slots + 1)
        self._filled -= gone
        self._kinds[rows] = 0
        self.n_transitions -= len(rows)

    # ---- checkpoints ----

    def state(self) -> dict[str, NDArray[Any]]:
        """What `restore` takes: views of the part of the buffer that was written to, not copies.

        Returns:
            Arrays by name.
        """
        arrays = {name: array[: self._used] for name, array in self._arrays.items()}
        return arrays | {"newest": self._newest.copy(), "filled": self._filled.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where another buffer, of the same arguments, was.

        Args:
            state: from `state`; arrays, or the LargeArrays of a file, which are read straight into the buffer.

        Raises:
            InputError: where it is that of another kind of buffer, or damaged; nothing changes then.
        """
        newest, filled = state["newest"], state["filled"]
        used = len(state["kinds"])
        for name, array in self._arrays.items():
            given = state[name]
            if given.dtype != array.dtype or given.shape != (used, *array.shape[1:]) or used > self._rows:
                raise InputError(
                    f"the replay's {name} are {given.dtype} of shape {given.shape}, but this buffer holds "
                    f"{array.dtype} of shape {array.shape}"
                )
        if not self._hold_together(newest, filled, state["kinds"]):
            raise InputError("the replay's state is damaged, or that of another number of environments")
        for name, array in self._arrays.items():
            fill(array[:used], state[name])
            array[used : self._used] = 0
        self._newest[:], self._filled[:], self._used = newest, filled, used
        self.n_transitions = int(np.count_nonzero(self._kinds))

    def _hold_together(self, newest: NDArray[Any], filled: NDArray[Any], kinds: NDArray[np.uint8]) -> bool:
        """Whether only slots that are held start transitions, and the newest do not."""
        for array, low, high in ((newest, -1, self._slots - 1), (filled, 0, self._slots)):
            if array.dtype != np.int64 or array.shape != (self.n_envs,) or (array < low).any() or (array > high).any():
                return False
        rows = np.flatnonzero(kinds)
        slots, envs = np.divmod(rows, self.n_envs)
        ages = (newest[envs] - slots) % self._slots
        return bool(((ages > 0) & (ages < filled[envs])).all())
