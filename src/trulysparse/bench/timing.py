"""Interleaved timing: every contender once per round, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# A contender's turn. It starts with a pause, as worker threads of the one before go on spinning for a while (OpenBLAS:
# some 30 ms) and may hold a core that another wants. After it the processor is slow (on a virtual machine the first
# calls of 2 ms take twice as long), so every contender gets the same time to warm up and to be measured, whether
# that is two calls or two hundred. What lasts longer than a turn is called once.
SETTLE, WARM_UP, MEASURED = 0.1, 0.15, 0.25


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one contender.

    Args:
        name: of the contender.
        median: over all calls, seconds.
        low, high: lower and upper quartile, seconds.
        calls: how many were measured.
        rounds: the median of each round, seconds.

    Example:
        >>> ours = Timing("ours", 1.0, 1.0, 1.0, 2, (1.0, 1.0))
        >>> Timing("peer", 2.5, 2.0, 3.0, 2, (2.0, 3.0)).over(ours)
        2.5
    """

    name: str
    median: float
    low: float
    high: float
    calls: int
    rounds: tuple[float, ...] = ()

    def over(self, other: Timing) -> float:
        """How many times as long as another contender this one takes, both measured in the same rounds.

        Args:
            other: the other contender, with as many rounds.

        Returns:
            The median of the ratio over rounds.
        """
        return float(np.median(np.divide(self.rounds, other.rounds)))


def interleave(
    contenders: dict[str, Callable[[], object]], *, seconds: float = 5.0, min_rounds: int = 3, max_rounds: int = 200
) -> list[Timing]:
    """Measures contenders in turn, each once per round, so that all of them meet the same machine.

    Args:
        contenders: what to call, by name. Each is called once before, to warm up.
        seconds: time for each contender on average, after which no further round begins; above 0.
        min_rounds: rounds to make even so.
        max_rounds: rounds to make at most.

    Returns:
        A Timing per contender, in the order given.

    Example:
        >>> [timing.name for timing in interleave({"nothing": int}, seconds=0.01)]
        ['nothing']
    """
    first = {name: _time(call) for name, call in contenders.items()}
    turn = min(1.0, seconds)
    samples: dict[str, list[list[float]]] = {name: [] for name in contenders}
    began = time.perf_counter()
    for done in range(max_rounds):
        if done >= min_rounds and time.perf_counter() - began > seconds * len(contenders):
            break
        for name, call in contenders.items():
            time.sleep(SETTLE * turn)
            if first[name] < MEASURED:
                _fill(call, WARM_UP * turn)
            samples[name].append(_fill(call, MEASURED * turn))
    timings = []
    for name, rounds in samples.items():
        times = [t for each in rounds for t in each]
        low, median, high = (float(q) for q in np.percentile(times, (25, 50, 75)))
        timings.append(Timing(name, median, low, high, len(times), tuple(float(np.median(each)) for each in rounds)))
    return timings


def _fill(call: Callable[[], object], seconds: float) -> list[float]:
    """The time of each of as many calls as fill `seconds`, at least one."""
    times = [_time(call)]
    total = times[0]
    while total < seconds:
        times.append(_time(call))
        total += times[-1]
    return times


def _time(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
