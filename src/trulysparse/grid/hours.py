"""Load and PV of the hours ahead, read in blocks; means of the hours before them. Homes may live in different hours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.grid.scenario import Scenario

Array = NDArray[np.float64]

DAY = 24
_BLOCK_BYTES = 4 << 20  # of one array of a block


class HourBlocks:
    """The hours of an episode, a block of them in memory at a time.

    Blocks begin at fixed steps of the episode, so that what is computed from them does not depend on where reading
    began.

    Args:
        source: of all homes.
        n_homes: H.
        n_hours: length of the episode.
        history_days: days before a block that its means reach back to, at least 1.

    Attributes:
        first_hour: the hour in which the episode begins, int64 (H,), or one number for all.
        length: hours of a block.
        start: step of the episode at which the block in memory begins.
        net: load - PV in kWh, float64 (history + length, H); row `history` is the block's first hour. Zero before the
            first hour that the source has.
        pv: likewise, float32.
        history: rows of `net` and `pv` before the block.
    """

    def __init__(self, source: Scenario, n_homes: int, n_hours: int, history_days: int = 1) -> None:
        self.n_homes, self.n_hours = n_homes, n_hours
        self.history = DAY * history_days
        self.length = min(n_hours, _length(n_homes))
        self.start = -1
        self.net: Array = np.zeros((self.history + self.length, n_homes))
        self.pv: Floats = np.zeros((self.history + self.length, n_homes), np.float32)
        self._source = source
        self.begin_at(0)

    def begin_at(self, first_hour: int | NDArray[np.int64]) -> None:
        """The episode begins in this hour from now on, int64 (H,), or one number for all."""
        self.first_hour, self.start = first_hour, -1
        self._parts = _parts(self._source, first_hour)

    @staticmethod
    def bytes_per_home(n_homes: int, history_days: int) -> int:
        """Memory that each of so many homes takes, with the means of a block."""
        length = _length(n_homes)
        return 12 * (DAY * history_days + length) + 8 * (5 * length + 2 * (DAY * history_days + length))

    def at(self, step: int) -> bool:
        """Has the block in memory that holds a step of the episode, and says whether it had to be read.

        Args:
            step: 0 to n_hours; of the last one there is history alone.

        Returns:
            Whether the block is another one than before.
        """
        start = step // self.length * self.length
        if start == self.start:
            return False
        kept = 0
        if start == self.start + self.length and self.start >= 0:
            for array in (self.net, self.pv):  # the end of the last block is history now
                array[: self.history] = array[self.length : self.length + self.history].copy()
            kept = self.history
        self._read(start, kept)
        self.start = start
        return True

    def _read(self, start: int, kept: int) -> None:
        """Fills the rows after the first `kept` ones."""
        rows = slice(start - self.history + kept, min(start + self.length, self.n_hours))
        if rows.start >= rows.stop:
            return
        for source, first, homes in self._parts:
            low, high = first + rows.start, first + rows.stop
            offset = kept + max(0, -low)
            load, pv = source.window(max(low, 0), high)
            end = offset + len(load)
            if homes is None:
                self.net[kept:offset], self.pv[kept:offset] = 0, 0
                np.subtract(load, pv, out=self.net[offset:end], dtype=np.float64)
                self.pv[offset:end] = pv
            else:
                self.net[kept:offset, homes], self.pv[kept:offset, homes] = 0, 0
                self.net[offset:end, homes] = np.subtract(load, pv, dtype=np.float64)
                self.pv[offset:end, homes] = pv

    def known(self) -> NDArray[np.int64]:
        """How many hours the source has before each hour of the block: (length, 1), or (length, H)."""
        steps = self.start + np.arange(self.length)[:, None]
        hours: NDArray[np.int64] = steps + np.asarray(self.first_hour)
        return hours


def _length(n_homes: int) -> int:
    """Hours of a block: a day to a week."""
    return max(DAY, min(7 * DAY, _BLOCK_BYTES // (8 * n_homes) // DAY * DAY))


def _parts(
    source: Scenario, first_hour: int | NDArray[np.int64]
) -> list[tuple[Scenario, int, NDArray[np.int64] | None]]:
    """Homes that begin in the same hour, with a source of their own."""
    if isinstance(first_hour, int):
        return [(source, first_hour, None)]
    parts: list[tuple[Scenario, int, NDArray[np.int64] | None]] = []
    for first in np.unique(first_hour).tolist():
        homes = np.flatnonzero(first_hour == first)
        parts.append((source.select(homes), first, homes))
    return parts


class Means:
    """What a home knows of its past at the beginning of each hour of a block, from hours before it alone.

    Args:
        blocks: whose block is in memory.

    Attributes:
        load: mean load of the last 24 hours in kWh, (length, H).
        pv: likewise of PV.
        next_hour: forecast of load - PV of the hour that begins: that of yesterday, or the mean of seven days.
        next_six: likewise, the mean of the six hours that begin.
    """

    def __init__(self, blocks: HourBlocks) -> None:
        n, history = blocks.length, blocks.history
        known = blocks.known()
        pv_sum, net_sum = (_running(array) for array in (blocks.pv, blocks.net))
        per_hour = 1.0 / np.clip(known, 1, DAY)
        day = slice(history - DAY, history - DAY + n)
        self.pv: Array = np.subtract(pv_sum[history : history + n], pv_sum[day])
        self.pv *= per_hour
        self.load: Array = np.subtract(net_sum[history : history + n], net_sum[day])
        self.load *= per_hour
        self.load += self.pv
        days = history // DAY
        self.next_hour: Array = blocks.net[history - DAY : history - DAY + n]
        self.next_six: Array = np.subtract(net_sum[day.start + 6 : day.stop + 6], net_sum[day])
        for back in range(2, days + 1):
            low = history - back * DAY
            self.next_hour = self.next_hour + blocks.net[low : low + n]
            self.next_six += net_sum[low + 6 : low + 6 + n]
            self.next_six -= net_sum[low : low + n]
        per_day = 1.0 / np.clip(known // DAY, 1, days)  # before the first day all is 0
        if days > 1:
            self.next_hour = self.next_hour * per_day
        self.next_six *= per_day / 6


def _running(array: NDArray[np.floating]) -> Array:
    """Sums of all rows before each row, and of all."""
    sums = np.zeros((len(array) + 1, array.shape[1]))
    for row, values in enumerate(array):  # ten times as fast as cumsum down the columns
        np.add(sums[row], values, out=sums[row + 1])
    return sums


class Distinct:
    """Homes that share an hour and a kind of prices, so that what depends on these alone is looked up once for them.

    Args:
        first_hour: the hour in which the episode begins, int64 (H,), or one number for all.
        kind: of prices, int64 (H,), or None where there is one.

    Example:
        >>> distinct = Distinct(np.array([0, 168, 0]), None)
        >>> distinct.of(np.arange(1000)[:, None], 5).tolist()
        [5, 173, 5]
    """

    def __init__(self, first_hour: int | NDArray[np.int64], kind: NDArray[np.int64] | None) -> None:
        self._place: NDArray[np.intp] | None = None
        if isinstance(first_hour, int) and kind is None:
            self._first, self._kind = np.array([first_hour]), np.array([0])
            return
        first, kinds = np.broadcast_arrays(first_hour, 0 if kind is None else kind)
        both = first * (int(kinds.max()) + 1) + kinds
        _, which, self._place = np.unique(both, return_index=True, return_inverse=True)
        self._first, self._kind = first[which], kinds[which]

    def of(self, table: NDArray[Any], steps: int | NDArray[np.int64]) -> NDArray[Any]:
        """Entries of a table in steps of the episode.

        Args:
            table: (hours, kinds); its last hour stands for later ones.
            steps: one, or several.

        Returns:
            (H,) or (steps, H); of one home instead of H where all share them.
        """
        hours = np.minimum(np.asarray(steps)[..., None] + self._first, len(table) - 1)
        entries = table[hours, self._kind]
        return entries if self._place is None else np.take(entries, self._place, axis=-1)
