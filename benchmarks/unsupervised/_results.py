"""Result files that grow run by run: what was measured stays when a later run breaks."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse.bench.report import machine

RESULTS = Path(__file__).parents[1] / "results"


def read(name: str) -> list[dict[str, Any]]:
    """The rows of results/unsupervised_NAME.json."""
    path = RESULTS / f"unsupervised_{name}.json"
    return json.loads(path.read_text())["results"] if path.is_file() else []


def _short(value: Any) -> Any:
    """With numbers of six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value


def keep(name: str, row: dict[str, Any], key: Sequence[str], threads: int = 1) -> None:
    """Adds a row, a line of results/unsupervised_NAME.json, in place of one whose values of `key` are the same."""
    path = RESULTS / f"unsupervised_{name}.json"
    folder = os.open(RESULTS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # two scripts may write to one file
        rows = [each for each in read(name) if any(each.get(k) != row.get(k) for k in key)]
        lines = ",\n".join(json.dumps(_short(each)) for each in [*rows, row])
        text = f'{{"machine": {json.dumps(machine(threads))},\n"results": [\n{lines}\n]}}\n'
        write_whole(path, lambda temporary: temporary.write_text(text))
    finally:
        os.close(folder)
