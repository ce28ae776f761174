"""The checkpoint folder in a run folder: the state that a training keeps, and how `resume` reads it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse._core.typed import checked_fields
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._json import read_object
from trulysparse.cli._run import CHECKPOINT
from trulysparse.cli._settings import Settings
from trulysparse.data.files import fingerprint, lasting
from trulysparse.errors import InputError
from trulysparse.io.checkpoint_folder import LAYERS, PENDING, STATE, has_state
from trulysparse.io.position import Position
from trulysparse.training.callbacks.checkpointer import Checkpointer
from trulysparse.training.callbacks.running import RunningTrainer

SETTINGS = "config.json"
OLD = ".checkpoint.old"


class RunCheckpointer(Checkpointer):
    """Keeps the state of a training in its run folder: every settings.checkpoint_every updates (each one where layers
    live in files) and when a signal asks for the end, after which it raises Stopped. The checkpoint of another training
    is there until this one has begun to keep its own (`began`)."""

    def __init__(self, out: Path, settings: Settings, interrupts: Interrupts, *, resumed: bool) -> None:
        super().__init__(out / CHECKPOINT, every=settings.checkpoint_every or 1)
        self._out = out
        self._settings = settings
        self._interrupts = interrupts
        self.began = resumed

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Makes the folder this training's own."""
        if self._settings.checkpoint_every or self._settings.on_disk or self.began:
            self._begin()
        # Knowing nothing gives log(classes): far beyond it, an earlier state is the better one to go on from.
        self.max_loss = 10 * np.log(trainer.net.layer_sizes[-1])
        super().on_fit_start(trainer, epochs, steps)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Keeps the state where it is time."""
        if self._settings.checkpoint_every or self._settings.on_disk:
            super().on_step_end(trainer, loss)
        if self._interrupts.caught is None:
            return
        if not self._settings.on_disk:
            if not self._has_pending:
                self._begin()
                self.write(trainer)
            self._resolve_pending(loss)
        raise Stopped(self._interrupts.caught)

    def _begin(self) -> None:
        if not self.began:
            self.folder.mkdir(exist_ok=True)
            (self.folder / STATE).unlink(missing_ok=True)
            if not self._settings.on_disk:
                shutil.rmtree(self.folder / LAYERS, ignore_errors=True)
        for left in (*self.folder.glob(".state.*"), *self.folder.glob(PENDING)):  # by a process that was killed
            left.unlink()
        write_settings(self._out, self._settings)
        self.began = True
        drop_old(self._out)


def write_settings(out: Path, settings: Settings) -> None:
    """Writes the settings from which `resume` goes on."""
    values = settings.to_json() | {"data": lasting(settings.data), "fingerprint": fingerprint(settings.data)}
    text = json.dumps(values, indent=2) + "\n"
    write_whole(out / CHECKPOINT / SETTINGS, lambda path: path.write_text(text))


def settings_of(out: Path, learning_rate: float | None = None) -> Settings:
    """The settings of the training whose checkpoint is in `out`; InputError where there is none. learning_rate: in the
    place of the one it began with."""
    folder = out / CHECKPOINT
    if not (folder / SETTINGS).is_file():
        raise InputError(
            f"RUN: '{out}' has no checkpoint to go on from: its training is complete, or was not given "
            "--checkpoint-every"
        )
    if not has_state(folder):
        raise InputError(f"RUN: '{out}' was broken off before its first checkpoint: train anew")
    values = read_object(folder / SETTINGS)
    try:
        if "data" not in values:
            raise ValueError("it names no data")
        settings = Settings.from_json(values)
        settings.check()
    except ValueError as error:
        raise InputError(f"RUN: '{folder / SETTINGS}' cannot be read ({error})") from None
    if Path(settings.data).exists() and values.get("fingerprint") != fingerprint(settings.data):
        raise InputError(f"DATA: '{settings.data}' has changed since the training of '{out}' began")
    return settings if learning_rate is None else replace(settings, learning_rate=learning_rate)


def position_of(values: object) -> Position:
    """Where a checkpoint says that its training is, or ValueError."""
    if not isinstance(values, dict):
        raise ValueError("it does not say where training is")
    position = Position(**checked_fields(Position, values, whole=True))
    if min(position.epoch - 1, position.epoch_start, position.done, position.evolved_layers) < 0:
        raise ValueError("its position is negative")
    if [record.get("epoch") for record in position.records] != list(range(1, position.epoch)):
        raise ValueError("its records are not those of the epochs before")
    return position


def move_aside(out: Path) -> None:
    """Takes an old checkpoint out of the way of layers in files."""
    if (out / CHECKPOINT).is_dir():
        (out / CHECKPOINT).rename(out / OLD)


def put_back(out: Path) -> None:
    """Undoes `move_aside`; what has come in its place goes."""
    shutil.rmtree(out / CHECKPOINT, ignore_errors=True)
    if (out / OLD).is_dir():
        (out / OLD).rename(out / CHECKPOINT)


def drop_old(out: Path) -> None:
    """Removes what `move_aside` took out of the way."""
    shutil.rmtree(out / OLD, ignore_errors=True)


def recover(out: Path) -> None:
    """Brings into order what a process left that died between `move_aside` and `drop_old`."""
    if (out / OLD).is_dir():
        if (out / CHECKPOINT / SETTINGS).is_file():
            drop_old(out)
        else:
            put_back(out)
