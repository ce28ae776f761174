"""What `train` and `resume` do: from settings and data to a trained network in a run folder."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import typer

from trulysparse._core import checks
from trulysparse._core.bars import bars
from trulysparse.cli._calling import Calling
from trulysparse.cli._checkpoints import RunCheckpointer, move_aside, put_back, recover, settings_of
from trulysparse.cli._console import os_error_text, show_notes
from trulysparse.cli._cross_validation import cross_validate, has_folds
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._members import FinishedMembers, has_members
from trulysparse.cli._results import write_results
from trulysparse.cli._run import CHECKPOINT, PARTIAL, MetricsFile, is_of_agents
from trulysparse.cli._run_lock import RunLock
from trulysparse.cli._settings import Settings
from trulysparse.cli._training_run import TrainingRun
from trulysparse.data.table import Table
from trulysparse.errors import DivergenceError, InputError
from trulysparse.io.checkpoint_folder import has_state
from trulysparse.io.position import Position
from trulysparse.nn.ensemble import merge_networks
from trulysparse.recipe.options import known
from trulysparse.training import Callback, LayerSizes, ProgressBar, Trainer, evaluate, mean_history
from trulysparse.training.history import History


@dataclass
class TrainingCommand:
    """A call of `train` or `resume`. calling: of a resumed one, that of the checkpoint. given: names of the options
    that the user wrote. preset: of those that a preset set. moved: whether an old checkpoint has made way for layers in
    files."""

    settings: Settings
    out: Path
    threads: int | None = None
    calling: Calling = field(default_factory=Calling)
    json_line: bool = False
    resume: bool = False
    given: Collection[str] = ()
    preset: Collection[str] = ()
    overwrite: bool = False
    moved: bool = False
    checkpointer: RunCheckpointer | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    @property
    def is_kept(self) -> bool:
        """Whether the folder holds a checkpoint of this training."""
        own = self.resume or (self.checkpointer is not None and self.checkpointer.began)
        return own and (has_state(self.out / CHECKPOINT) or has_folds(self.out) or has_members(self.out))


def start_training(command: TrainingCommand) -> None:
    """Trains from the start."""
    command.settings.check(command.given)
    command.calling.check()
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
        settings, calling = settings_of(out, learning_rate)
        run_training(TrainingCommand(settings, out, threads, calling, json_line, resume=True), lock)


def run_training(command: TrainingCommand, lock: RunLock) -> None:
    """Trains, scores on data that training has not seen, writes the run folder and prints what came of it. A signal or
    a divergence, or a file that cannot be written, ends it with a sentence that says how to go on."""
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
        except OSError as error:
            if not command.is_kept or error.errno is None:
                raise
            go_on = f"once that is mended, `{_resume(command.out)}` goes on from the last checkpoint"
            raise OSError(f"{os_error_text(error)}; {go_on}") from error
    if command.interrupts.caught is not None:
        raise typer.Exit(128 + command.interrupts.caught)


def _claim(command: TrainingCommand, lock: RunLock) -> None:
    """Keeps others out of the folder; InputError where it holds a training that could be resumed, unless
    command.overwrite."""
    if lock.claimed:
        return
    if is_of_agents(command.out):
        raise InputError(f"--out: '{command.out}' holds a run of agents; give another folder")
    lock.claim()
    recover(command.out)
    kept = has_state(command.out / CHECKPOINT) or has_folds(command.out) or has_members(command.out)
    if kept and not command.overwrite:
        raise InputError(
            f"--out: '{command.out}' holds a training that was broken off; go on with `{_resume(command.out)}`, or "
            "give --overwrite to do without it"
        )


def _resume(out: Path) -> str:
    return f"trulysparse resume {shlex.quote(str(out))}"


def _how_to_go_on(command: TrainingCommand) -> str:
    if command.is_kept:
        return f"stopped: `{_resume(command.out)}` goes on from the last checkpoint"
    return "stopped: nothing was kept to go on from"


def _train(command: TrainingCommand, lock: RunLock) -> None:
    began = time.perf_counter()
    table = _read(command)
    reading, cv = time.perf_counter() - began, command.settings.cv
    parts = {"reading": reading}
    folds = None
    if cv is not None:

        def fit(number: int) -> tuple[dict[str, float], int]:
            run, trainer, _ = _fit_all(command, lock, table, number)
            test = run.dataset.test
            assert test is not None
            return evaluate(trainer.net, test.X, test.y, loss=trainer.loss), len(test)

        start = time.perf_counter()
        folds = cross_validate(command.out, cv, fit, resume=command.resume)
        parts["folds"] = time.perf_counter() - start
    run, trainer, history = _fit_all(command, lock, table, cv)
    run.folds = folds
    run.seconds = {**parts, **run.seconds}
    seconds = time.perf_counter() - began - reading
    with command.interrupts.deferred():
        write_results(
            run,
            trainer,
            history,
            seconds,
            resumed=command.resume,
            report=command.calling.report,
            json_line=command.json_line,
        )


def _fit_all(
    command: TrainingCommand, lock: RunLock, table: Table, fold: int | None
) -> tuple[TrainingRun, Trainer, History]:
    """Trains a network or, of an ensemble, its networks one after the other, which then become one."""
    before, began = command.calling, time.perf_counter()
    command.calling = replace(before, fold=fold)
    run = _prepare(command, table)
    run.seconds["preparing"] = time.perf_counter() - began
    count = known(command.settings.n_estimators)
    mine = command.resume and before.fold == fold  # the checkpoint is of this fold
    if count == 1:
        return _fit(command, lock, run, mine)
    finished = FinishedMembers(command.out)
    for number in range(len(finished) if mine else 0, count):
        goes_on = mine and before.member == number
        command.calling = replace(command.calling, member=number)
        run.member = number
        _, trainer, history = _fit(command, lock, run, goes_on)
        finished.add(trainer.net, history)
        typer.echo(f"network {number + 1} of {count}: loss {history['loss'][-1]:.4g}", err=True)
    networks, histories = finished.read(command.threads)
    command.calling = replace(command.calling, member=0)
    return run, run.trainer(merge_networks(networks, threads=command.threads)), mean_history(histories)


def _fit(command: TrainingCommand, lock: RunLock, run: TrainingRun, mine: bool) -> tuple[TrainingRun, Trainer, History]:
    """Trains a network, from the checkpoint where there is one of it (mine)."""
    out, fold = command.out, command.calling.fold
    resume = mine and has_state(out / CHECKPOINT)
    began = time.perf_counter()
    settings = command.settings
    command.checkpointer = RunCheckpointer(out, settings, command.interrupts, resumed=resume, calling=command.calling)
    try:
        trainer, start = _trainer(command, run, lock, resume)
        _claim(command, lock)
        if fold in (None, 0) and run.member == 0 and not resume:
            show_notes(run.notes)
        run.spend("preparing", time.perf_counter() - began)
        began = time.perf_counter()
        train, scored = run.dataset.train, run.scored
        with command.interrupts.deferred():
            history = trainer.fit(
                train.X,
                train.y,
                epochs=known(settings.epochs),
                validation_data=None if scored is None else (scored.X, scored.y),
                callbacks=_callbacks(command, start),
                resume=start,
            )
        epochs = sum(record["seconds"] for record in history.records[0 if start is None else len(start.records) :])
        run.spend("updates, evolution", epochs)
        run.spend("scores, checkpoints", max(0.0, time.perf_counter() - began - epochs))
    except BaseException:
        if command.moved and not command.checkpointer.began:
            put_back(out)
        elif command.checkpointer.began and not has_state(out / CHECKPOINT) and not has_folds(out):
            shutil.rmtree(out / CHECKPOINT)  # nothing but settings
        raise
    return run, trainer, history


def _callbacks(command: TrainingCommand, start: Position | None) -> list[Callback]:
    """What happens around epochs; the checkpointer last, which keeps what the others have changed."""
    callbacks: list[Callback] = [ProgressBar(), LayerSizes()]
    callbacks += command.calling.make_callbacks(command.out)
    callbacks += command.settings.make_callbacks()
    callbacks.append(MetricsFile(command.out / PARTIAL, [] if start is None else start.records))
    assert command.checkpointer is not None
    return [*callbacks, command.checkpointer]


def _read(command: TrainingCommand) -> Table:
    """The samples as the file holds them; refuses options that they do not go with."""
    settings = command.settings
    checks.thread_count(command.threads)
    settings.make_parallel(address=command.calling.address)
    table = settings.source().table()
    settings.check_data(table, command.given)
    return table


def _prepare(command: TrainingCommand, table: Table) -> TrainingRun:
    """What is trained on what; refuses all that can be refused before a network is made."""
    source = command.settings.source(command.calling.fold)
    dataset = source.dataset(table)
    if not command.resume:
        n_samples = np.shape(table.y)[0]
        chosen = {*command.given, *command.preset}
        command.settings = command.settings.for_task(dataset.task.kind, chosen, n_samples, dataset.n_features)
    settings = command.settings
    parallel = settings.make_parallel(address=command.calling.address, data=source.lasting())
    if parallel is not None:
        parallel.check(len(dataset.train), settings.make_evolution(), known(settings.epochs))
    return TrainingRun(settings, command.out, command.threads, table, dataset, parallel)


def _trainer(
    command: TrainingCommand, run: TrainingRun, lock: RunLock, resume: bool
) -> tuple[Trainer, Position | None]:
    with bars() as progress:
        if resume:
            return run.resumed(progress)
        run.require_memory()
        if run.settings.on_disk:
            _claim(command, lock)
            command.moved = True
            move_aside(command.out)
        return run.started(progress), None
