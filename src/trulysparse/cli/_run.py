"""A run folder: model.safetensors, config.json, metrics.jsonl and, where asked for, report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trulysparse._files import write_whole
from trulysparse.errors import InputError
from trulysparse.network import SparseMLP
from trulysparse.progress import Progress, silent
from trulysparse.saving import load, save
from trulysparse.training import Callback, Trainer
from trulysparse.training.history import Record

MODEL, CONFIG, METRICS, REPORT = "model.safetensors", "config.json", "metrics.jsonl", "report.html"
CHECKPOINT = "checkpoint"


@dataclass
class Run:
    """A finished run."""

    net: SparseMLP
    config: dict[str, Any]

    @staticmethod
    def open(folder: Path, threads: int | None = None) -> Run:
        """Reads a run folder; InputError where it is not one."""
        if not (folder / MODEL).is_file():
            raise InputError(f"RUN: '{folder}' is not a run folder: it has no {MODEL}")
        try:
            config = json.loads((folder / CONFIG).read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"RUN: '{folder / CONFIG}' cannot be read ({error})") from None
        return Run(load(folder / MODEL, threads=threads), config)


def write_run(folder: Path, net: SparseMLP, config: dict[str, Any], progress: Progress = silent) -> None:
    """Writes model and settings, each whole or not at all; the report of an earlier run goes."""
    write_whole(folder / CONFIG, lambda path: path.write_text(json.dumps(config, indent=2) + "\n"))
    save(net, folder / MODEL, progress=progress)
    (folder / REPORT).unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """InputError where a run cannot be written to `folder`."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"--out: '{nearest}' is a file, not a folder")


class MetricsFile(Callback):
    """Appends each epoch's record to metrics.jsonl. records: of epochs before this call of fit."""

    def __init__(self, path: Path, records: Sequence[Record] = ()) -> None:
        self._path = path
        self._records = records

    def on_fit_start(self, trainer: Trainer, epochs: int, steps: int) -> None:
        """Starts the file anew."""
        self._path.write_text("".join(json.dumps(record) + "\n" for record in self._records))

    def on_epoch_end(self, trainer: Trainer, record: Record) -> None:
        """Appends a line."""
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
