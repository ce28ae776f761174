"""What agents log as they learn, of one seed and of several together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEPS, SECONDS, RETURN, DEVIATION = (
    "time/total_timesteps",
    "time/time_elapsed",
    "eval/mean_reward",
    "eval/std_reward",
)
"""Columns of a log: environment steps, seconds, return of an evaluation and its deviation over episodes."""

Column = NDArray[np.float64]


def columns_of(rows: Sequence[Mapping[str, float]]) -> dict[str, Column]:
    """The lines of a log as columns.

    Args:
        rows: of each line the figures that it has, by name.

    Returns:
        Columns by name, a value per line; NaN where a line has none.

    Example:
        >>> from trulysparse.report.rl_records import columns_of
        >>> columns_of([{"time/total_timesteps": 100}, {"time/total_timesteps": 200, "x": -3.5}])["x"].tolist()
        [nan, -3.5]
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, math.nan) for row in rows], np.float64) for name in names}


@dataclass(frozen=True, kw_only=True)
class SeedRecords:
    """What one agent logged.

    Args:
        seed: of the agent.
        columns: of its log by name, as `columns_of` gives them.
        results: its figures at the end; {} where it has not finished.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.rl_records import SeedRecords
        >>> log = {"time/total_timesteps": np.array([100.0, 200.0]), "eval/mean_reward": np.array([-9.0, -3.5])}
        >>> SeedRecords(seed=0, columns=log).last("eval/mean_reward")
        -3.5
    """

    seed: int
    columns: Mapping[str, Column]
    results: Mapping[str, Any] = field(default_factory=dict)

    def points(self, name: str) -> tuple[Column, Column]:
        """(steps, values) of the entries that have a value, steps ascending; of two at the same step the last."""
        if name not in self.columns or STEPS not in self.columns:
            return np.zeros(0), np.zeros(0)
        steps, values = self.columns[STEPS], self.columns[name]
        known = np.isfinite(steps) & np.isfinite(values)
        steps, values = steps[known], values[known]
        unique, first = np.unique(steps[::-1], return_index=True)
        return unique, values[::-1][first]

    def last(self, name: str) -> float | None:
        """The last value, or None where there is none."""
        _, values = self.points(name)
        return float(values[-1]) if len(values) else None

    def best(self) -> float | None:
        """The highest return of an evaluation."""
        _, values = self.points(RETURN)
        return float(values.max()) if len(values) else None


@dataclass(frozen=True)
class Curve:
    """A figure over the steps, of several seeds.

    Args:
        steps: environment steps, ascending.
        seconds: mean over the seeds, likewise.
        mean: of the seeds that have gone so far.
        low: the lowest of them.
        high: the highest of them.
        n_seeds: how many seeds have values.
    """

    steps: Column
    seconds: Column
    mean: Column
    low: Column
    high: Column
    n_seeds: int


def curve_of(seeds: Sequence[SeedRecords], name: str) -> Curve | None:
    """A figure of several seeds at the steps at which any of them has it; between its own steps a seed's value lies on
    a straight line.

    Args:
        seeds: at least one.
        name: of a column.

    Returns:
        The curve, or None where no seed has a value.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.rl_records import SeedRecords, curve_of
        >>> steps = np.array([100.0, 200.0])
        >>> seeds = [SeedRecords(seed=k, columns={"time/total_timesteps": steps, "x": steps + k}) for k in (0, 10)]
        >>> curve_of(seeds, "x").mean.tolist()
        [105.0, 205.0]
    """
    found = [(seed, *points) for seed in seeds if len((points := seed.points(name))[0])]
    if not found:
        return None
    grid = np.unique(np.concatenate([steps for _, steps, _ in found]))
    values = np.stack([_at(grid, steps, values) for _, steps, values in found])
    seconds = np.stack([_at(grid, *seed.points(SECONDS), limit=steps) for seed, steps, _ in found])
    known = np.isfinite(values)
    # Where one seed has gone less far than others, the mean of seconds may fall there.
    return Curve(
        grid,
        np.fmax.accumulate(_mean(seconds)),
        _mean(values),
        np.where(known, values, np.inf).min(axis=0),
        np.where(known, values, -np.inf).max(axis=0),
        len(found),
    )


def _at(grid: Column, steps: Column, values: Column, limit: Column | None = None) -> Column:
    """Values at the steps of a grid; NaN before and after a seed's own (those of `limit`)."""
    limit = steps if limit is None else limit
    if not len(steps):
        return np.full(len(grid), np.nan)
    inside = (grid >= limit[0]) & (grid <= limit[-1])
    return np.where(inside, np.interp(grid, steps, values), np.nan)


def _mean(values: Column) -> Column:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: Column = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def interquartile_mean(values: ArrayLike) -> float:
    """The mean of the middle half of values: a quarter of them, rounded down, is left out at each end.

    Args:
        values: at least one.

    Returns:
        The mean.

    Source:
        Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice (IQM).

    Example:
        >>> from trulysparse.report.rl_records import interquartile_mean
        >>> interquartile_mean([0.0, 2.0, 4.0, 100.0])
        3.0
    """
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())
