"""What `train` and `resume` do: from settings and data to a trained network in a run folder."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import typer

from trulysparse._core import checks
from trulysparse._core.bars import bars
from trulysparse.analysis import TopologyRecorder
from trulysparse.cli._checkpoints import RunCheckpointer, move_aside, put_back, recover, settings_of
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._results import write_results
from trulysparse.cli._run import CHECKPOINT, PARTIAL, MetricsFile
from trulysparse.cli._run_lock import RunLock
from trulysparse.cli._settings import Settings
from trulysparse.cli._training_run import TrainingRun
from trulysparse.data import as_matrix
from trulysparse.data.dataset import make_dataset
from trulysparse.data.files import read
from trulysparse.errors import DivergenceError, InputError
from trulysparse.io.checkpoint_folder import has_state
from trulysparse.io.position import Position
from trulysparse.training import Callback, LayerSizes, ProgressBar, Trainer


@dataclass
class TrainingCommand:
    """A call of `train` or `resume`. given: names of the options that the user wrote. moved: whether an old checkpoint
    has made way for layers in files."""

    settings: Settings
    out: Path
    threads: int | None = None
    address: str | None = None
    report: bool = False
    json_line: bool = False
    resume: bool = False
    given: Collection[str] = ()
    overwrite: bool = False
    moved: bool = False
    checkpointer: RunCheckpointer | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    @property
    def is_kept(self) -> bool:
        """Whether the folder holds a checkpoint of this training."""
        own = self.resume or (self.checkpointer is not None and self.checkpointer.began)
        return own and has_state(self.out / CHECKPOINT)


def start_training(command: TrainingCommand) -> None:
    """Trains from the start."""
    command.settings.check(command.given, report=command.report)
    with RunLock(command.out) as lock:
        if command.out.is_dir():
            _claim(command, lock)
        run_training(command, lock)


def resume_training(out: Path, *, learning_rate: float | None, threads: int | None, json_line: bool) -> None:
    """Trains on from the checkpoint in the folder."""
    with RunLock(out, "RUN") as lock:
        if out.is_dir():
            lock.claim()
            recover(out)
        settings = settings_of(out, learning_rate)
        run_training(TrainingCommand(settings, out, threads, json_line=json_line, resume=True), lock)


def run_training(command: TrainingCommand, lock: RunLock) -> None:
    """Trains, scores on data that training has not seen, writes the run folder and prints what came of it. A signal or
    a divergence ends it with a sentence that says how to go on."""
    with command.interrupts:
        try:
            _train(command, lock)
        except Stopped as stop:
            if lock.claimed and not command.is_kept:
                (command.out / PARTIAL).unlink(missing_ok=True)
            typer.echo(_how_to_go_on(command), err=True)
            raise typer.Exit(stop.exit_code) from None
        except DivergenceError as error:
            if not command.is_kept or command.settings.on_disk:  # whose last state is the one that diverges
                raise
            raise DivergenceError(
                f"{error}; `{_resume(command.out)} --learning-rate RATE` goes on from the last checkpoint"
            ) from None
    if command.interrupts.caught is not None:
        raise typer.Exit(128 + command.interrupts.caught)


def _claim(command: TrainingCommand, lock: RunLock) -> None:
    """Keeps others out of the folder; InputError where it holds a training that could be resumed, unless
    command.overwrite."""
    if lock.claimed:
        return
    lock.claim()
    recover(command.out)
    if has_state(command.out / CHECKPOINT) and not command.overwrite:
        raise InputError(
            f"--out: '{command.out}' holds a training that was broken off; go on with `{_resume(command.out)}`, or "
            "give --overwrite to do without it"
        )


def _resume(out: Path) -> str:
    return f"trulysparse resume {shlex.quote(str(out))}"


def _how_to_go_on(command: TrainingCommand) -> str:
    if command.is_kept:
        return f"stopped: `{_resume(command.out)}` goes on from the last checkpoint"
    options = command.settings.keeps_no_state(command.report)
    return "stopped: nothing was kept" + (f", as {options[0]} keeps no state" if options else " to go on from")


def _train(command: TrainingCommand, lock: RunLock) -> None:
    settings, out = command.settings, command.out
    run = _prepare(command)
    if not settings.keeps_no_state(command.report):
        command.checkpointer = RunCheckpointer(out, settings, command.interrupts, resumed=command.resume)
    try:
        trainer, start = _trainer(command, run, lock)
        _claim(command, lock)
        began = time.perf_counter()
        dataset = run.dataset
        with nullcontext() if command.checkpointer is None else command.interrupts.deferred():
            history = trainer.fit(
                dataset.X_train,
                dataset.y_train,
                epochs=settings.epochs,
                validation_data=(dataset.X_test, dataset.y_test),
                callbacks=_callbacks(command, start),
                resume=start,
            )
        seconds = time.perf_counter() - began
    except BaseException:
        if command.moved and not (command.checkpointer and command.checkpointer.began):
            put_back(out)
        raise
    with command.interrupts.deferred():
        write_results(run, trainer, history, seconds, report=command.report, json_line=command.json_line)


def _callbacks(command: TrainingCommand, start: Position | None) -> list[Callback]:
    """What happens around epochs; the checkpointer last, which keeps what the others have changed."""
    callbacks: list[Callback] = [ProgressBar(), LayerSizes()]
    callbacks += [TopologyRecorder()] if command.report else []
    callbacks += command.settings.make_callbacks()
    callbacks.append(MetricsFile(command.out / PARTIAL, [] if start is None else start.records))
    callbacks += [] if command.checkpointer is None else [command.checkpointer]
    return callbacks


def _prepare(command: TrainingCommand) -> TrainingRun:
    """Reads the data and refuses all that can be refused before a network is made."""
    settings = command.settings
    checks.thread_count(command.threads)
    parallel = settings.make_parallel(address=command.address, data=settings.training_file())
    table = read(
        settings.data,
        target=settings.target,
        stream=settings.stream,
        header=settings.header,
        zero_based=settings.zero_based,
    )
    settings.check_data(table, command.given)
    dataset = make_dataset(table, test_size=settings.test_size, seed=settings.seed)
    if parallel is not None:
        parallel.check(as_matrix(dataset.X_train).n_samples, settings.make_evolution(), settings.epochs)
    return TrainingRun(settings, command.out, command.threads, table, dataset, parallel)


def _trainer(command: TrainingCommand, run: TrainingRun, lock: RunLock) -> tuple[Trainer, Position | None]:
    with bars() as progress:
        if command.resume:
            return run.resumed(progress)
        run.require_memory()
        if run.settings.on_disk:
            _claim(command, lock)
            command.moved = True
            move_aside(command.out)
        return run.started(progress), None
