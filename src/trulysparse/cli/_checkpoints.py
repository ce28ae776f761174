"""The checkpoint folder in a run folder: the state that a training keeps, and how `resume` reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

from trulysparse._core.files import write_whole
from trulysparse._core.progress import Progress
from trulysparse._core.typed import checked_fields
from trulysparse.cli._calling import Calling
from trulysparse.cli._cross_validation import FOLDS, has_folds
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._json import read_object
from trulysparse.cli._members import FinishedMembers, has_members
from trulysparse.cli._run import CHECKPOINT, is_of_agents
from trulysparse.cli._settings import Settings
from trulysparse.errors import InputError
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import LAYERS, PENDING, has_state, newest, position_in, states
from trulysparse.io.position import Position
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training import Trainer
from trulysparse.training.callbacks.checkpointer import Checkpointer
from trulysparse.training.callbacks.running import RunningTrainer

SETTINGS = "config.json"
OLD = ".checkpoint.old"
# What is raised on the way where a checkpoint is not what it must be.
_DAMAGED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RunCheckpointer(Checkpointer):
    """Keeps the state of a training in its run folder, as settings say, and when a signal asks for the end, after which
    it raises Stopped. The checkpoint of another training is there until this one has begun to keep its own (`began`).
    """

    def __init__(
        self, out: Path, settings: Settings, interrupts: Interrupts, *, resumed: bool, calling: Calling
    ) -> None:
        super().__init__(out / CHECKPOINT, every=settings.checkpoint_every or None, keep=settings.keep_checkpoints)
        self._out = out
        self._settings = settings
        self._interrupts = interrupts
        self._calling = calling
        self.began = resumed

    @property
    def keeps_epochs(self) -> bool:
        """Whether it keeps anything before a signal comes."""
        return self._settings.checkpoints or self._settings.on_disk

    def on_fit_start(self, trainer: RunningTrainer, epochs: int, steps: int) -> None:
        """Makes the folder this training's own."""
        if self.keeps_epochs or self.began:
            self._begin()
        # Knowing nothing gives log(classes): far beyond it, an earlier state is the better one to go on from.
        if trainer.net.output == "softmax":
            self.max_loss = 10 * np.log(max(2, trainer.net.layer_sizes[-1]))
        super().on_fit_start(trainer, epochs, steps)

    def on_step_end(self, trainer: RunningTrainer, loss: float) -> None:
        """Keeps the state where it is time."""
        if self.keeps_epochs:
            super().on_step_end(trainer, loss)
        if self._interrupts.caught is None:
            return
        if not self._settings.on_disk:
            self._begin()
            self.write(trainer, flush=True)
            self.judge(loss)
        raise Stopped(self._interrupts.caught)

    def on_worker_step(self, trainer: RunningTrainer, worker: int, loss: float) -> None:
        """Ends a parallel training whose last epoch is kept already."""
        if self._interrupts.caught is not None:
            raise Stopped(self._interrupts.caught)

    def on_epoch_over(self, trainer: RunningTrainer) -> None:
        """Keeps the state."""
        stopped = self._interrupts.caught is not None
        if self.keeps_epochs or stopped:
            self._begin()
            self.write(trainer, flush=stopped)
        if self._interrupts.caught is not None:
            raise Stopped(self._interrupts.caught)

    def _begin(self) -> None:
        if self.began and (self.folder / SETTINGS).is_file() and self._tidied:
            return
        self.folder.mkdir(exist_ok=True)
        left = [*self.folder.glob(".state*"), *self.folder.glob(PENDING)]  # by a process that was killed
        if not self.began:
            left += states(self.folder)
            left += [] if self._calling.fold or self._calling.member else [self.folder / FOLDS]
            if not self._calling.member:
                FinishedMembers(self._out).clear()
            if not self._settings.on_disk:
                shutil.rmtree(self.folder / LAYERS, ignore_errors=True)
        for path in left:
            path.unlink(missing_ok=True)
        write_settings(self._out, self._settings, self._calling)
        self.began = self._tidied = True
        drop_old(self._out)

    _tidied = False


def write_settings(out: Path, settings: Settings, calling: Calling) -> None:
    """Writes the settings from which `resume` goes on."""
    source = settings.source().lasting()
    own = {"data": source.data, "test": source.test, "fingerprint": source.fingerprint()}
    values = settings.to_json() | calling.to_json() | own
    text = json.dumps(values, indent=2) + "\n"
    write_whole(out / CHECKPOINT / SETTINGS, lambda path: path.write_text(text))


def settings_of(out: Path, learning_rate: float | None = None) -> tuple[Settings, Calling]:
    """The settings of the training whose checkpoint is in `out`, and how it was called; InputError where
    there is none. learning_rate: in the place of the one it began with."""
    folder = out / CHECKPOINT
    if not (folder / SETTINGS).is_file() and is_of_agents(out):
        raise InputError(f"RUN: '{out}' is a run of agents, with which `trulysparse rl resume` goes on")
    if not (folder / SETTINGS).is_file():
        raise InputError(
            f"RUN: '{out}' has no checkpoint to go on from: its training is complete, or was broken off before it had "
            "kept one"
        )
    if not has_state(folder) and not has_folds(out) and not has_members(out):
        raise InputError(f"RUN: '{out}' was broken off before its first checkpoint: train anew")
    values = read_object(folder / SETTINGS)
    try:
        if "data" not in values:
            raise ValueError("it names no data")
        calling = Calling.from_json(values)
        settings = Settings.from_json(values).resolved()  # earlier releases lack some, of which there was one value
        settings.check()
    except ValueError as error:
        raise InputError(f"RUN: '{folder / SETTINGS}' cannot be read ({error})") from None
    source = settings.source()
    there = all(Path(name).exists() for name in (source.data, source.test) if name is not None)
    if there and values.get("fingerprint") != source.fingerprint():
        raise InputError(f"DATA: '{settings.data}' has changed since the training of '{out}' began")
    return settings if learning_rate is None else replace(settings, learning_rate=learning_rate), calling


@contextmanager
def naming_damage(folder: Path) -> Iterator[None]:
    """Within it, what a checkpoint that is not what it must be brings about is an InputError that names its folder."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(f"RUN: the checkpoint in '{folder}' is damaged ({error})") from None


def read_newest(
    folder: Path, trainer_for: Callable[[SparseMLP], Trainer], threads: int | None, progress: Progress
) -> tuple[Trainer, Position]:
    """The trainer as the newest sound state in the folder has it, and where it is; InputError where none is sound. One
    that is not the newest is said on standard error."""

    def read(file: Path) -> tuple[Trainer, Position]:
        with naming_damage(folder):
            trainer, extra = checkpoints.restore(file, lambda _: None, trainer_for, threads, progress)
            position_of(extra["position"])
            return trainer, position_in(file, extra)

    return newest(folder, read, lambda text: typer.echo(text, err=True))


def position_of(values: object) -> Position:
    """Where a checkpoint says that its training is, or ValueError."""
    if not isinstance(values, dict):
        raise ValueError("it does not say where training is")
    own = {"stop": False, "parallel": None, "kept": None} | values  # earlier releases lack some
    position = Position(**checked_fields(Position, own | {"kept": None}, whole=True))
    if min(position.epoch - 1, position.epoch_start, position.done, position.evolved_layers) < 0:
        raise ValueError("its position is negative")
    epochs = [record.get("epoch") for record in position.records]
    if position.parallel is None and epochs != list(range(1, position.epoch)):
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
