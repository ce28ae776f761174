"""Checks of scalar arguments, with messages of one form."""

from __future__ import annotations

import math
import numbers
import os
from typing import Any

import numpy as np

from trulysparse.errors import InputError

MOST_THREADS = 2**10  # more than any machine has use for; each takes memory for its stack


def plain(value: Any) -> Any:
    """A NumPy value as the Python value whose spelling users know; anything else as it is."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def real(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """`value` as a float between `low` and `high` (an open end excludes the bound), or InputError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputError(f"{name} must be a number, not {plain(value)!r}")
    number = float(value)
    fits = math.isfinite(number)
    fits = fits and (number > low if low_open else number >= low)
    fits = fits and (number < high if high_open else number <= high)
    if not fits:
        left, right = "(" if low_open or low == -math.inf else "[", ")" if high_open or high == math.inf else "]"
        raise InputError(f"{name} must lie in {left}{low:g}, {high:g}{right}, not {plain(value)!r}")
    return number


def integer(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """`value` as an int of at least `low` (and at most `high`), or InputError."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise InputError(f"{name} must be an integer, not {plain(value)!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        allowed = f"at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} must be {allowed}, not {plain(value)!r}")
    return number


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value` if it is one of `allowed`, or InputError."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, not {plain(value)!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value` as a bool if it is one, of Python or NumPy, or InputError."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, not {value!r:.80}")
    return bool(value)


def listed(name: str, values: Any, what: str) -> list[Any]:
    """`values`, any sequence or array, as a list, or InputError; `what`: it should hold."""
    if isinstance(values, str | bytes | dict) or not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        raise InputError(f"{name} must be a sequence of {what}, not {plain(values)!r:.80}")
    try:
        return list(values)
    except (TypeError, NotImplementedError):
        raise InputError(f"{name} must be a sequence of {what}, not {type(values).__name__}") from None


def thread_count(threads: int | None) -> int:
    """The number of threads to use: `threads`, or as many as this process may run on."""
    if threads is None:
        try:
            return len(os.sched_getaffinity(0))
        except AttributeError:
            return os.cpu_count() or 1
    return integer("threads", integer("threads", threads, low=1), low=1, high=MOST_THREADS)
