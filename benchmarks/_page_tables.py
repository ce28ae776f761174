"""Tables of a page of docs, written anew between their marks from benchmarks/results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole

ROOT = Path(__file__).parents[1]


def results(name: str) -> Any:
    """What results/NAME.json holds; None where it is not there."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text())["results"] if path.is_file() else None


def rows(head: list[str], body: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body])


def write_tables(page: str, tables: Sequence[Callable[[], str | None]]) -> None:
    """Writes docs/PAGE with each table between the marks of the function's name; None: it stays as it is."""
    path = ROOT / "docs" / page
    text = path.read_text()
    for table in tables:
        made, name = table(), table.__name__
        if made is not None:
            start, end = f"<!-- table {name} -->", f"<!-- end of {name} -->"
            pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
            text, n = pattern.subn(lambda _, s=start, m=made, e=end: f"{s}\n\n{m}\n\n{e}", text)
            if n != 1:
                raise SystemExit(f"{path} must have the marks of '{name}' once, not {n} times")
    write_whole(path, lambda temporary: temporary.write_text(text))
