"""Interleaved timing: every contender once a round, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Worker threads of the contender before go on spinning for a while (OpenBLAS: some 30 ms), and may hold a core
# that another contender wants; then a few calls warm the caches.
SETTLE, WARM_UP = 0.15, 3


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the median, and the quartiles about it."""

    name: str
    median: float
    low: float
    high: float
    calls: int


def interleave(
    contenders: dict[str, Callable[[], object]], *, seconds: float = 5.0, min_rounds: int = 3, max_rounds: int = 200
) -> list[Timing]:
    """Calls every contender in turn, after one call each to warm up, until `seconds` have passed for each of
    them on average. A contender may be called several times a round where it is quick."""
    first = {name: _time(call) for name, call in contenders.items()}
    first = {name: min(value, _time(contenders[name]) if value < 1.0 else value) for name, value in first.items()}
    slowest = max(first.values())
    repeats = {name: int(np.clip(slowest / max(value, 1e-9) / 4, 1, 20)) for name, value in first.items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    began = time.perf_counter()
    for done in range(max_rounds):
        if done >= min_rounds and time.perf_counter() - began > seconds * len(contenders):
            break
        for name, call in contenders.items():
            time.sleep(SETTLE)
            for _ in range(WARM_UP if first[name] < 0.5 else 0):
                call()
            samples[name] += [_time(call) for _ in range(repeats[name])]
    timings = []
    for name, times in samples.items():
        low, median, high = (float(q) for q in np.percentile(times, (25, 50, 75)))
        timings.append(Timing(name, median, low, high, len(times)))
    return timings


def _time(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
