"""n_jobs, scikit-learn's number of threads."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse.errors import InputError


def threads_of(n_jobs: int | None) -> int:
    """The number of threads that n_jobs stands for: below 0 counted down from all, None: all; InputError for 0."""
    every = checks.thread_count(None)
    number = every if n_jobs is None else checks.integer("n_jobs", n_jobs, low=-(2**31))
    if number == 0:
        raise InputError("n_jobs must be at least 1, or below 0 to count down from all threads (-1), not 0")
    return number if number > 0 else max(1, every + 1 + number)
