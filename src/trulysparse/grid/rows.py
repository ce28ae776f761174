"""Which hours and homes of an outcome are asked for, and how they are gone through with little memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError

AT_ONCE = 1 << 20  # hours x homes of which float64 copies are made: a year of 10,000 homes has 88 million


def parts(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """The rows, as many at a time as need little memory with these columns.

    Args:
        rows: indices of hours.
        columns: indices of homes, at least one.
    """
    at_once = max(1, AT_ONCE // len(columns))
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


def indices(name: str, chosen: ArrayLike | None, n: int) -> NDArray[np.intp]:
    """Indices below n from indices, a mask or None for all: InputError where they are not that, or none.

    Args:
        name: of the argument.
        chosen: what was given.
        n: how many there are.
    """
    if chosen is None:
        return np.arange(n)
    given = np.asarray(chosen)
    if given.dtype == bool and given.shape == (n,):
        found = np.flatnonzero(given)
    elif given.ndim == 1 and given.dtype.kind in "iu":
        found = given.astype(np.intp)
    else:
        raise InputError(f"{name} must be indices, or a mask of length {n}, not {checks.plain(given)!r:.80}")
    if not found.size or found.min() < -n or found.max() >= n:
        raise InputError(
            f"{name} must name at least one of {n}, each from 0 to {n - 1}, not {checks.plain(given)!r:.80}"
        )
    return np.where(found < 0, found + n, found)
