"""Time of a whole training step, ours and the peers', and the ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trulysparse.bench.peers import PEERS, Step, Unavailable
from trulysparse.bench.problems import Problem
from trulysparse.bench.timing import interleave


def compare(problem: Problem, names: Sequence[str], threads: int, seconds: float) -> dict[str, Any]:
    """Rows of (name, median, quartiles, ratio to ours round by round) for the peers that run here, and why the others
    do not."""
    steps: dict[str, Step] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            steps[name] = PEERS[name](problem, threads)
        except Unavailable as error:
            missing[name] = str(error)
    timings = interleave(dict(steps), seconds=seconds)
    ours = next(t for t in timings if t.name == "trulysparse")
    return {
        "problem": problem.name,
        "layer_sizes": problem.net.layer_sizes,
        "connections": problem.net.n_connections,
        "density": problem.net.density,
        "batch": len(problem.y),
        "rows": [
            {
                "name": t.name,
                "ms": t.median * 1e3,
                "low_ms": t.low * 1e3,
                "high_ms": t.high * 1e3,
                "ratio": t.over(ours),
                "calls": t.calls,
            }
            for t in timings
        ],
        "missing": missing,
    }
