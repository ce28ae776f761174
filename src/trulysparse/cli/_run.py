"""A run folder: model.safetensors, config.json, metrics.jsonl and, where asked for, report.html."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.files import digest, naming, write_whole
from trulysparse._core.progress import Progress, silent
from trulysparse._core.typed import checked_value
from trulysparse.cli._json import parse_object, read_object
from trulysparse.errors import InputError
from trulysparse.io.models import load_network, save
from trulysparse.nn.mlp import SparseMLP
from trulysparse.task.task import Task
from trulysparse.training import Callback
from trulysparse.training.callbacks.checkpointer import FLUSH_INTERVAL
from trulysparse.training.callbacks.running import RunningTrainer
from trulysparse.training.history import Record

MODEL, CONFIG, METRICS, RESULTS = "model.safetensors", "config.json", "metrics.jsonl", "results.json"
REPORT = "report.html"
CHECKPOINT = "checkpoint"
PARTIAL = "metrics.partial.jsonl"
# What config.json of a run of agents says that it is; see cli/rl.
AGENTS = "agents"
# Where a run is written before it is put in place.
NEW = ".new"

_TYPES: dict[str, Any] = {
    "data": str,
    "target": str | None,
    "features": list[str] | None,
    "fingerprint": str,
    "test_size": float,
    "seed": int,
    "model": str,
    "kind": str,
    "targets": list[str],
    "loss": str | None,
    "cv": int | None,
    "layout": dict[str, Any],
}


def _no_model(folder: Path) -> InputError:
    """The error for what is not the folder of a finished run."""
    if folder.is_file():
        return InputError(f"RUN: '{folder}' is a file; give the folder that train wrote")
    if is_of_agents(folder):
        return InputError(f"RUN: '{folder}' is a run of agents, which `trulysparse rl` is for")
    if (folder / CHECKPOINT).is_dir():
        go_on = f"`trulysparse resume {shlex.quote(str(folder))}`"
        return InputError(f"RUN: '{folder}' holds a training that is not finished; {go_on} goes on with it")
    return InputError(f"RUN: '{folder}' is not a run folder: it has no {MODEL}")


def is_of_agents(folder: Path) -> bool:
    """Whether a folder holds a run of `rl train`."""
    try:
        return read_object(folder / CONFIG).get("kind") == AGENTS
    except InputError:
        return False


@dataclass
class Run:
    """A finished run. folder: where its settings and metrics are."""

    net: SparseMLP
    config: dict[str, Any]
    folder: Path

    @staticmethod
    def open(folder: Path, threads: int | None = None) -> Run:
        """Reads a run folder; InputError where it is not one."""
        model = folder / MODEL
        if not model.is_file():
            raise _no_model(folder)
        settings_folder = folder / NEW if is_pending(folder) else folder
        path = settings_folder / CONFIG
        config = read_object(path)
        try:
            for name, kind in _TYPES.items():
                if name in config:
                    checked_value(name, config[name], kind)
            if "test_size" in config:
                checks.real("test_size", config["test_size"], low=0, high=1)
            if "fingerprint" in config and not {"test_size", "seed"} <= set(config):
                raise ValueError("it does not say how samples were held out")
        except ValueError as error:
            raise InputError(f"RUN: '{path}' cannot be read ({error})") from None
        net = load_network(model, threads=threads)
        if "model" in config and config["model"] != digest(model):
            raise InputError(
                f"RUN: '{path}' does not belong to the {MODEL} beside it: one of them is of another "
                "training, or was changed"
            )
        return Run(net, config, settings_folder)

    @property
    def labels(self) -> NDArray[Any]:
        """Of its classes; InputError where its network has none, and so cannot be scored against labels."""
        if self.net.labels is None:
            raise InputError(f"RUN: the {MODEL} of '{self.folder}' names no classes, so that it cannot be scored")
        return self.net.labels

    @property
    def task(self) -> Task:
        """What its network predicts; InputError where that is classes and it names none."""
        net = self.net
        kinds = {"softmax": "classification", "sigmoid": "multilabel", "identity": "regression"}
        kind, targets = kinds[net.output], tuple(self.config.get("targets") or ())
        return Task(kind, None if kind == "regression" else self.labels, targets, net.layer_sizes[-1])

    def results(self) -> dict[str, Any]:
        """Its scores and what else results.json holds, where there is one; InputError where it is damaged."""
        path = self.folder / RESULTS
        return read_object(path) if path.is_file() else {}

    def last_record(self) -> str | None:
        """The last line of its metrics, where there are any; InputError where it is not one."""
        path = self.folder / METRICS
        if not path.is_file():
            return None
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            if lines:
                parse_object(lines[-1])
        except (OSError, ValueError) as error:
            raise InputError(f"RUN: '{path}' cannot be read ({error})") from None
        return lines[-1] if lines else None


def write_run(
    folder: Path,
    net: SparseMLP,
    config: dict[str, Any],
    records: Sequence[Record],
    figures: dict[str, Any],
    report: Callable[[Path], None] | None = None,
    progress: Progress = silent,
) -> None:
    """Writes model, settings, metrics, figures and report, all or nothing: they are written beside and put in place
    once all are there. The model goes first, and settings name the model that they belong to: a process that dies
    before they follow
    leaves them where `settle` and `Run.open` find them."""
    new = folder / NEW
    settle(folder)
    try:
        new.mkdir()
        save(net, new / MODEL, progress=progress)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        write_whole(new / METRICS, lambda path: path.write_text(lines))
        write_whole(new / RESULTS, lambda path: path.write_text(json.dumps(figures, indent=2) + "\n"))
        if report is not None:
            report(new / REPORT)
        text = json.dumps({**config, "model": digest(new / MODEL)}, indent=2) + "\n"
        write_whole(new / CONFIG, lambda path: path.write_text(text))
        (new / MODEL).replace(folder / MODEL)
    finally:
        settle(folder)
    (folder / PARTIAL).unlink(missing_ok=True)


def is_pending(folder: Path) -> bool:
    """Whether the model in the folder was put in place, and its settings not yet."""
    new = folder / NEW
    if (new / MODEL).exists() or not (new / CONFIG).is_file() or not (folder / MODEL).is_file():
        return False
    try:
        return read_object(new / CONFIG).get("model") == digest(folder / MODEL)
    except InputError:
        return False


def settle(folder: Path) -> None:
    """Puts in place what belongs to the model that is; what was left by a run that was never whole goes."""
    new = folder / NEW
    if not new.is_dir():
        return
    if is_pending(folder):
        if not (new / REPORT).exists():
            (folder / REPORT).unlink(missing_ok=True)
        for name in (METRICS, RESULTS, REPORT, CONFIG):
            if (new / name).exists():
                (new / name).replace(folder / name)
    shutil.rmtree(new)


class MetricsFile(Callback):
    """Appends each epoch's record to a file, in the course of training: it outlives the process at once, and a power
    cut within FLUSH_INTERVAL. records: of epochs before this call of fit."""

    def __init__(self, path: Path, records: Sequence[Record] = ()) -> None:
        self._path = path
        self._records = records

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Starts the file anew."""
        text = "".join(json.dumps(record) + "\n" for record in self._records)
        write_whole(self._path, lambda path: path.write_text(text), sync=bool(self._records))
        self._flushed_at = 0.0

    def on_epoch_end(self, trainer: RunningTrainer, record: Record) -> None:
        """Appends a line."""
        with naming(self._path), self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
            if (now := time.monotonic()) - self._flushed_at >= FLUSH_INTERVAL:
                file.flush()
                os.fsync(file.fileno())
                self._flushed_at = now

    def on_fit_end(self, trainer: RunningTrainer) -> None:
        """Removes the file where there is nothing to see in it."""
        if self._path.is_file() and not self._path.stat().st_size:
            self._path.unlink()
