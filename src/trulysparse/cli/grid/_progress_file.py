"""progress.csv: how all agents of a run learned, a row per step of a training."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trulysparse._core.files import write_whole
from trulysparse.errors import InputError

AGENTS, SEED, STEP = "agents", "seed", "step"
_EVERY = 10.0  # seconds between writes while agents learn

Row = Mapping[str, Any]


class ProgressFile:
    """The rows of all trainings in one file, which is written as a whole.

    Args:
        path: the file; rows that are in it stay, but for those of trainings that are told anew.

    Raises:
        InputError: where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[tuple[str, str], list[Row]] = {}
        for row in read_rows(path):
            self._rows.setdefault((row[AGENTS], row[SEED]), []).append(row)
        self._written = time.monotonic()

    def tell(self, label: str, seed: int, log: Sequence[Row], *, last: bool = False) -> None:
        """The rows of a training so far; the file is written where this has not been for some seconds, or at the end.

        Args:
            label: of the agents.
            seed: theirs.
            log: rows of plain numbers by name.
            last: whether the training ends here.
        """
        if not last and time.monotonic() - self._written < _EVERY:
            return
        self._rows[label, str(seed)] = [{AGENTS: label, SEED: seed, **row} for row in log]
        text = _text([row for rows in self._rows.values() for row in rows])
        write_whole(self.path, lambda temporary: temporary.write_text(text, encoding="utf-8"), sync=last)
        self._written = time.monotonic()


def _text(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys([AGENTS, SEED, *(name for row in rows for name in row)]))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of progress.csv as texts; none where there is no file.

    Raises:
        InputError: where it is damaged.
    """
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        if rows and (not {AGENTS, SEED} <= set(rows[0]) or any(None in row or None in row.values() for row in rows)):
            raise ValueError("its rows do not fit its header")
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"RUN: '{path}' cannot be read ({error})") from None
    return rows


def curves(rows: Sequence[Mapping[str, str]], column: str) -> dict[str, tuple[list[float], list[float]]]:
    """(steps, values) of a column, by the name of the training; rows that have no value are left out.

    Args:
        rows: as `read_rows` gives them.
        column: of the values.

    Example:
        >>> rows = [{"agents": "es", "seed": "0", "step": "1", "cost": "0.9"}]
        >>> curves(rows, "cost")
        {'es, seed 0': ([1.0], [0.9])}
    """
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        if row.get(column) and row.get(STEP):
            steps, values = found.setdefault(f"{row[AGENTS]}, seed {row[SEED]}", ([], []))
            try:
                step, value = float(row[STEP]), float(row[column])
            except ValueError:
                continue
            steps.append(step)
            values.append(value)
    return found
