"""What is known of a run of agents that learn, without its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trulysparse.report.numbers import number
from trulysparse.report.rl_figures import REPLAY
from trulysparse.report.rl_records import DEVIATION, RETURN, SECONDS, STEPS, SeedRecords, interquartile_mean

# What follows from the call, in place of what the user chose.
NOT_SETTINGS = ("version", "kind", "out", "report", "log", "json")

_ROWS = {
    "env": "environment",
    "algorithm": "algorithm",
    "seeds": "seeds",
    "steps": "steps",
    "iqm_return": "return, interquartile mean",
    "mean_return": "return, mean",
    "std_over_seeds": "return, deviation over seeds",
    "std_return": "return, deviation over episodes",
    "lowest_return": "return, lowest seed",
    "highest_return": "return, highest seed",
    "best_return": "best evaluation, mean",
    "seconds": "seconds a seed",
    "steps_per_second": "steps a second",
    "connections": "connections",
    "neurons": "neurons",
    "replay_mb": "replay memory, MB",
    "peak_rss_mb": "peak memory, MB",
}


@dataclass(frozen=True, kw_only=True)
class AgentRun:
    """A run of one or several seeds.

    Args:
        name: of the run.
        config: its settings, as config.json holds them.
        seeds: what each seed logged.
        finished: whether all seeds are complete.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.rl_records import SeedRecords
        >>> from trulysparse.report.rl_run import AgentRun
        >>> log = {"time/total_timesteps": np.array([100.0, 200.0]), "eval/mean_reward": np.array([-9.0, -3.5])}
        >>> run = AgentRun(name="a", config={"env": "Pendulum-v1"}, seeds=[SeedRecords(seed=0, columns=log)])
        >>> run.figures()["mean_return"], run.figures()["best_return"], run.figures()["steps"]
        (-3.5, -3.5, 200)
    """

    name: str
    config: Mapping[str, Any]
    seeds: Sequence[SeedRecords]
    finished: bool = True

    def values(self, name: str, column: str) -> list[float]:
        """A figure of each seed that has it: at its end, or the last one of its log."""
        found = [seed.results.get(name, seed.last(column)) for seed in self.seeds]
        return [float(value) for value in found if value is not None]

    def figures(self) -> dict[str, Any]:
        """Returns, sizes and seconds by name; None where they are not known. Returns are those of the last evaluation
        of each seed, `std_return` is the mean over the seeds of their deviation over its episodes; seconds and sizes
        are means over the seeds, memory is the largest."""
        returns = self.values("mean_return", RETURN)
        deviations = self.values("std_return", DEVIATION)
        best = [value for seed in self.seeds if (value := seed.results.get("best_return", seed.best())) is not None]
        steps, seconds = self.values("steps", STEPS), self.values("seconds", SECONDS)
        replay = [value / 1e6 for seed in self.seeds if (value := seed.last(REPLAY)) is not None]
        replay = [*(value for seed in self.seeds if (value := seed.results.get("replay_mb")) is not None)] or replay
        peak = self.values("peak_rss_mb", "")
        spent = sum(seconds)
        return {
            "env": self.config.get("env"),
            "algorithm": self.config.get("algorithm"),
            "seeds": len(self.seeds),
            "steps": round(float(np.mean(steps))) if steps else None,
            "iqm_return": interquartile_mean(returns) if returns else None,
            "mean_return": float(np.mean(returns)) if returns else None,
            "std_return": float(np.mean(deviations)) if deviations else None,
            "std_over_seeds": float(np.std(returns, ddof=1)) if len(returns) > 1 else None,
            "lowest_return": min(returns, default=None),
            "highest_return": max(returns, default=None),
            "best_return": float(np.mean(best)) if best else None,
            "seconds": round(spent / len(seconds), 3) if seconds else None,
            "steps_per_second": round(sum(steps) / spent, 1) if spent else None,
            "connections": _whole(self.values("connections", "sparse/connections")),
            "neurons": _whole(self.values("neurons", "")),
            "replay_mb": round(max(replay), 3) if replay else None,
            "peak_rss_mb": max(peak, default=None),
            "finished": self.finished,
        }


def _whole(values: Sequence[float]) -> int | None:
    return round(float(np.mean(values))) if values else None


def rows_of(runs: Sequence[AgentRun]) -> dict[str, list[str]]:
    """The figures of runs as texts, a list per figure; those that no run has are left out.

    Args:
        runs: at least one.

    Returns:
        Texts by the figure's name.
    """
    each = [run.figures() for run in runs]
    several = any(figures["seeds"] > 1 for figures in each)
    rows = {}
    for name, title in _ROWS.items():
        values = [figures[name] for figures in each]
        if not several and name in ("iqm_return", "lowest_return", "highest_return"):
            continue
        if any(value is not None for value in values):
            rows[title] = [_shown(value) for value in values]
    if not all(run.finished for run in runs):
        rows["training"] = ["finished" if run.finished else "unfinished" for run in runs]
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, float) and abs(value) >= 10:
        value = round(value, 1)
    return f"{value:,.1f}" if isinstance(value, float) and abs(value) >= 1000 else number(value)
