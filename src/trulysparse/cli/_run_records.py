"""What a run folder says of its training, without its model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trulysparse.cli._json import parse_object, read_object
from trulysparse.cli._run import CHECKPOINT, CONFIG, METRICS, MODEL, NEW, PARTIAL, is_of_agents, is_pending
from trulysparse.errors import InputError
from trulysparse.report import ComparedRun

RESULTS = "results.json"


def read_run(folder: Path, name: str) -> ComparedRun:
    """Reads the settings, records and results of a run, finished or not; InputError where the folder is not of one, or
    a file in it is damaged."""
    if not folder.is_dir():
        raise InputError(f"RUN: '{folder}' does not exist, or is not a folder")
    finished = (folder / MODEL).is_file()
    if not finished and is_of_agents(folder):
        raise InputError(f"RUN: '{folder}' is a run of agents, which `trulysparse rl compare` shows")
    place = folder / NEW if finished and is_pending(folder) else folder
    metrics = place / METRICS if finished else folder / PARTIAL
    if not finished and not metrics.is_file() and not (folder / CHECKPOINT / CONFIG).is_file():
        raise InputError(f"RUN: '{folder}' is not a run folder: it has neither {MODEL} nor {PARTIAL}")
    config = _object(place / CONFIG) if finished else _object(folder / CHECKPOINT / CONFIG)
    results = _object(place / RESULTS) if finished else {}
    return ComparedRun(name=name, config=config, records=read_records(metrics), results=results, finished=finished)


def _object(path: Path) -> dict[str, Any]:
    return read_object(path) if path.is_file() else {}


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics file, none where there is no file. A last line that a broken-off training has not
    finished is left out."""
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        if lines and not text.endswith("\n"):
            lines.pop()
        records = [parse_object(line) for line in lines]
        if any(isinstance(record.get("epoch"), bool) or not isinstance(record.get("epoch"), int) for record in records):
            raise ValueError("a line names no epoch")
    except (OSError, ValueError) as error:
        raise InputError(f"RUN: '{path}' cannot be read ({error})") from None
    return records


def names_of(folders: Sequence[Path]) -> list[str]:
    """Names of run folders: their paths without what all of them begin with."""
    parts = [Path(os.path.abspath(folder)).parts for folder in folders]
    shared = 0
    while all(shared < len(each) - 1 and each[shared] == parts[0][shared] for each in parts):
        shared += 1
    return [str(Path(*each[shared:])) for each in parts]
