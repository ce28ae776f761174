"""Windows: which hours of the training weeks the candidates of a generation live through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.random import generator
from trulysparse.errors import InputError

if TYPE_CHECKING:
    from trulysparse.grid.splits import Split

DAY = 24


class Windows:
    """Windows of equal length in the hours that may be learned from, and whose observations show no test hour.

    Args:
        split: of the hours.
        length: hours of a window, whole days.
        count: most windows of a generation; None: as many as lie side by side. Where it is fewer, each generation draws
            its own, at random, shifted by as many days as their stretch of training hours allows.
        seed: of the draws.

    Attributes:
        first: of the windows side by side, (n,) int64.
        stretch: number of the stretch of training hours that each lies in, (n,).
        slack: days that the windows of each stretch may be shifted by together.
        count: windows of a generation.
        length: as given.

    Raises:
        InputError: where no window of this length fits between test hours, or an argument is out of range.

    Example:
        >>> from trulysparse.grid.splits import split_of
        >>> windows = Windows(split_of(["a"], 8760), 480)
        >>> windows.count, windows.first[:3].tolist()
        (13, [0, 696, 1368])
        >>> Windows(split_of(["a"], 8760), 168, count=4, seed=1).of_generation(0) % 24
        array([0, 0, 0, 0])
    """

    def __init__(self, split: Split, length: int = 480, count: int | None = None, seed: int = 0) -> None:
        self.length = checks.integer("window_hours", length, low=DAY)
        if self.length % DAY:
            raise InputError(f"window_hours must be whole days, a multiple of {DAY}, not {length}")
        clean = split.clean_train_hours
        edges = np.flatnonzero(np.diff(np.r_[False, clean, False]))
        first, stretch, slack = [], [], []
        for number, (begin, end) in enumerate(edges.reshape(-1, 2).tolist()):
            fit = (end - begin) // self.length
            first += [begin + place * self.length for place in range(fit)]
            stretch += [number] * fit
            slack.append((end - begin - fit * self.length) // DAY)
        if not first:
            longest = int(np.diff(edges.reshape(-1, 2), axis=1).max()) if len(edges) else 0
            raise InputError(
                f"window_hours must be at most {longest // DAY * DAY}, the longest stretch of training hours, "
                f"not {length}"
            )
        self.first: NDArray[np.int64] = np.array(first, np.int64)
        self.stretch: NDArray[np.int64] = np.array(stretch, np.int64)
        self.slack: NDArray[np.int64] = np.array(slack, np.int64)
        self.count = len(first) if count is None else min(checks.integer("windows", count, low=1), len(first))
        self.seed = seed

    @property
    def hours(self) -> int:
        """Hours that a candidate lives through in a generation."""
        return self.count * self.length

    def of_generation(self, generation: int) -> NDArray[np.int64]:
        """First hours of the windows of a generation, (count,), a function of the seed and its number."""
        if self.count == len(self.first):
            return self.first
        rng = generator(self.seed, "windows", generation)
        chosen = rng.choice(len(self.first), self.count, replace=False)
        shifts: NDArray[np.int64] = rng.integers(0, self.slack + 1)
        return self.first[chosen] + DAY * shifts[self.stretch[chosen]]
