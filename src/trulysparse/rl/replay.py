"""ReplayBuffer: transitions of one or several environments, each observation stored once."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError

_STARTS, _TERMINATES = 1, 2  # what a slot does; 0: it starts no transition
_ADVICE = "choose a smaller buffer, or keep it in memory-mapped files (folder=)"

Doubles = NDArray[np.float64]


class ReplayBuffer:
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
        self.n_envs = checks.integer("n_envs", n_envs, low=1)
        self.capacity = checks.integer("capacity", capacity, low=3 * self.n_envs)
        self.n_observations = checks.integer("n_observations", n_observations, low=1)
        self.n_actions = checks.integer("n_actions", n_actions, low=0)
        self.boolean = checks.flag("boolean", boolean)
        self.n_steps = checks.integer("n_steps", n_steps, low=1)
        self.gamma = checks.real("gamma", gamma, low=0, high=1)
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
        self._arrays = {name: _zeros(folder, *shape) for name, shape in shapes.items()}
        slots = self._arrays["slots"]
        self._observations = self._arrays["bits"] if self.boolean else slots[:, : self.n_observations]
        self._actions = slots[:, -1 - self.n_actions : -1] if self.n_actions else slots[:, -2].view(np.int32)
        self._rewards, self._kinds = slots[:, -1], self._arrays["kinds"][:, 0]
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
            valid: (n_envs,) booleans, False where the step only reset the environment: there first_observations
                takes the place of the one that was given when the episode ended. None: all are.
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
            self._set_newest(only_reset, first[only_reset])
            envs = np.flatnonzero(valid)
        rows = self._row(envs, self._newest[envs])
        self._actions[rows], self._rewards[rows] = actions[envs], rewards[envs]
        self._kinds[rows] = np.where(terminated[envs], _TERMINATES, _STARTS)
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
        self._kinds[row] = _TERMINATES if terminated else _STARTS
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

    # ---- reading ----

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
        last, rewards = rows, self._rewards[rows]
        lengths: Any = np.float32(1)
        for step in range(1, self.n_steps):
            following = self._after(last)
            goes_on = self._kinds[following] != 0  # once it does not, neither does it from the same row later
            last = np.where(goes_on, following, last)
            rewards += np.where(goes_on, np.float32(self.gamma**step) * self._rewards[following], np.float32(0))
            lengths = lengths + goes_on
        discounts = (self._kinds.take(last) != _TERMINATES) * np.float32(self.gamma) ** lengths
        return last, rewards, discounts

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

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on where another buffer, of the same arguments, was.

        Args:
            state: from `state`.

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
        if not self._hold_together(newest, filled, state["kinds"][:, 0]):
            raise InputError("the replay's state is damaged, or that of another number of environments")
        for name, array in self._arrays.items():
            array[:used] = state[name]
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


def _zeros(folder: str | os.PathLike[str] | None, rows: int, width: int, kind: str) -> NDArray[Any]:
    """An array of zeros that takes memory as it is written to: in a file without a name, or in no file."""
    size = rows * width * np.dtype(kind).itemsize
    if folder is None:
        held, advice = mmap.mmap(-1, size), "MADV_HUGEPAGE"
    else:
        held, advice = _file(Path(folder), size), "MADV_RANDOM"
    if hasattr(mmap, advice):
        with contextlib.suppress(OSError):  # a system may be built without huge pages
            held.madvise(getattr(mmap, advice))
    return np.frombuffer(held, kind).reshape(rows, width)


def _file(folder: Path, size: int) -> mmap.mmap:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"folder: '{folder}' is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS: space on the disk is not reserved
                os.ftruncate(file.fileno(), size)
        except OSError as error:
            needed = f"{error.strerror}: there is no room for {memory.human(size)} more of a replay buffer"
            raise OSError(error.errno, needed, str(folder)) from None
        return mmap.mmap(file.fileno(), size)
