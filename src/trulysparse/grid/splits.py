"""What is learned from and what is tested on: by home and by week, as leakage of either kind flatters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError

WEEK = 168
WEEKS = ("every fourth", "last quarter")
_TRAIN_SHARE = 10 / 17
_FLAGGED = ("Building_12", "Building_15")  # long repetitions of the same load; no PV but in the last month


@dataclass(frozen=True, eq=False)
class Split:
    """Which homes and hours an agent may learn from.

    Args:
        train_homes: indices of homes, int64.
        test_homes: the others.
        test_hours: bool (T,), hours kept for testing. They are simulated through and counted apart.
        flagged: homes whose data are odd, of either kind: a report gives figures with and without them.
        history_days: days that observations look back on.

    Example:
        >>> split = split_of([f"Building_{number}" for number in range(1, 18)], 8760)
        >>> len(split.train_homes), len(split.test_homes), split.flagged.tolist()
        (10, 7, [11, 14])
        >>> int(split.test_hours.sum()) // 168, len(split.train_weeks)
        (13, 39)
    """

    train_homes: NDArray[np.int64]
    test_homes: NDArray[np.int64]
    test_hours: NDArray[np.bool_]
    flagged: NDArray[np.int64]
    history_days: int = 1

    @property
    def train_hours(self) -> NDArray[np.bool_]:
        """Hours to learn from, bool (T,)."""
        return ~self.test_hours

    @property
    def clean_train_hours(self) -> NDArray[np.bool_]:
        """Of these, the hours whose observations show nothing of a test hour: not the days after one."""
        seen = self.test_hours.copy()
        for lag in range(1, 24 * self.history_days + 1):
            seen[lag:] |= self.test_hours[:-lag]
        return ~seen

    @property
    def train_weeks(self) -> NDArray[np.int64]:
        """First hours of the whole weeks without a test hour."""
        whole = len(self.test_hours) // WEEK
        free = ~self.test_hours[: whole * WEEK].reshape(whole, WEEK).any(axis=1)
        return np.flatnonzero(free).astype(np.int64) * WEEK

    @property
    def test_weeks(self) -> NDArray[np.int64]:
        """First hours of the whole weeks of test hours alone."""
        whole = len(self.test_hours) // WEEK
        full = self.test_hours[: whole * WEEK].reshape(whole, WEEK).all(axis=1)
        return np.flatnonzero(full).astype(np.int64) * WEEK


def split_of(names: Sequence[str], n_hours: int, weeks: str = "every fourth", n_train: int | None = None) -> Split:
    """Splits homes and hours.

    Args:
        names: of the homes; the first of them are learned from.
        n_hours: T.
        weeks: 'every fourth' (weeks whose index leaves 3 when divided by 4: all seasons) or 'last quarter'.
        n_train: homes to learn from; None: 10 of 17, and so in proportion, at least 1.

    Returns:
        The split.

    Raises:
        InputError: no home, fewer hours than four weeks, or more homes to learn from than there are.

    Example:
        >>> split_of(["a", "b"], 8760, "last quarter").train_homes.tolist()
        [0]
    """
    n_homes = len(names)
    if n_homes == 0:
        raise InputError("names must be of at least one home")
    checks.choice("weeks", weeks, WEEKS)
    n_hours = checks.integer("n_hours", n_hours, low=4 * WEEK)
    if n_train is None:
        n_train = max(1, round(n_homes * _TRAIN_SHARE))
    n_train = checks.integer("n_train", n_train, low=1, high=n_homes)
    hours = np.arange(n_hours)
    test = hours // WEEK % 4 == 3 if weeks == "every fourth" else hours >= n_hours - n_hours // 4
    flagged = [index for index, name in enumerate(names) if name in _FLAGGED]
    return Split(
        np.arange(n_train, dtype=np.int64),
        np.arange(n_train, n_homes, dtype=np.int64),
        test,
        np.array(flagged, np.int64),
    )
