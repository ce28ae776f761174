"""Options and result files that the benchmark scripts share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse.bench.report import machine, save_json

RESULTS = Path(__file__).parent / "results"


def options(description: str | None, **extra: Any) -> argparse.Namespace:
    """The command line's --threads, --seconds and `extra` (name = default)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=checks.thread_count(None))
    parser.add_argument("--seconds", type=float, default=5.0, help="time per contender")
    for name, default in extra.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def keep(name: str, threads: int, results: Any) -> None:
    """Writes results/NAME.json."""
    save_json(RESULTS / f"{name}.json", {"machine": machine(threads), "results": results})
