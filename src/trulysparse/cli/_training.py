"""What `train` and `resume` do: from settings and data to a trained network in a run folder."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

from trulysparse._core import checks
from trulysparse._core.progress import bars
from trulysparse.analysis import TopologyRecorder
from trulysparse.cli._checkpoints import Keeper, move_aside, put_back, recover, settings_of
from trulysparse.cli._console import peak_rss_mb, print_json, show
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli._place import Place
from trulysparse.cli._run import CHECKPOINT, PARTIAL, MetricsFile, write_run
from trulysparse.cli._settings import Settings
from trulysparse.cli._work import Work
from trulysparse.data import as_matrix
from trulysparse.data.dataset import make_dataset
from trulysparse.data.files import fingerprint, read
from trulysparse.errors import DivergenceError, InputError
from trulysparse.evolution import make_evolution
from trulysparse.io.checkpoint_folder import has_state
from trulysparse.io.position import Position
from trulysparse.nn import activations
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.pruning import ImportancePruning
from trulysparse.report import write_report
from trulysparse.report.figures import new_figure
from trulysparse.training import Callback, EarlyStopping, ProgressBar, Trainer, evaluate
from trulysparse.training.history import History


@dataclass
class FitData:
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
    keeper: Keeper | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)


def train_anew(job: FitData) -> None:
    """Trains from the start."""
    job.settings.check(job.given, report=job.report)
    with Place(job.out) as place:
        if job.out.is_dir():
            _claim(job, place)
        _carry_out(job, place)


def go_on(out: Path, *, learning_rate: float | None, threads: int | None, json_line: bool) -> None:
    """Trains on from the checkpoint in the folder."""
    with Place(out, "RUN") as place:
        if out.is_dir():
            place.claim()
            recover(out)
        settings = settings_of(out, learning_rate)
        _carry_out(FitData(settings, out, threads, json_line=json_line, resume=True), place)


def _claim(job: FitData, place: Place) -> None:
    """Keeps others out of the folder; InputError where it holds a training that could be resumed, unless
    job.overwrite."""
    if place.claimed:
        return
    place.claim()
    recover(job.out)
    if has_state(job.out / CHECKPOINT) and not job.overwrite:
        raise InputError(
            f"--out: '{job.out}' holds a training that was broken off; go on with `{_resume(job.out)}`, or give "
            "--overwrite to do without it"
        )


def _carry_out(job: FitData, place: Place) -> None:
    """Trains, scores on data that training has not seen, writes the run folder and prints what came of it."""
    with job.interrupts:
        try:
            _train(job, place)
        except Stopped as stop:
            if place.claimed and not _is_kept(job):
                (job.out / PARTIAL).unlink(missing_ok=True)
            typer.echo(_how_to_go_on(job), err=True)
            raise typer.Exit(stop.exit_code) from None
        except DivergenceError as error:
            if not _is_kept(job) or job.settings.on_disk:  # whose last state is the one that diverges
                raise
            raise DivergenceError(
                f"{error}; `{_resume(job.out)} --learning-rate RATE` goes on from the last checkpoint"
            ) from None
    if job.interrupts.caught is not None:
        raise typer.Exit(128 + job.interrupts.caught)


def _is_kept(job: FitData) -> bool:
    """Whether the folder holds a checkpoint of this training."""
    return (job.resume or (job.keeper is not None and job.keeper.began)) and has_state(job.out / CHECKPOINT)


def _resume(out: Path) -> str:
    return f"trulysparse resume {shlex.quote(str(out))}"


def _how_to_go_on(job: FitData) -> str:
    if _is_kept(job):
        return f"stopped: `{_resume(job.out)}` goes on from the last checkpoint"
    options = job.settings.keeps_no_state(job.report)
    return "stopped: nothing was kept" + (f", as {options[0]} keeps no state" if options else " to go on from")


def _train(job: FitData, place: Place) -> None:
    settings, out = job.settings, job.out
    work = _prepare(job)
    pruning = ImportancePruning(
        settings.importance_pruning, start=settings.importance_start, every=settings.importance_every
    )
    if not settings.keeps_no_state(job.report):
        job.keeper = Keeper(out, settings, job.interrupts, resumed=job.resume)
    try:
        trainer, start = _trainer(job, work, place)
        _claim(job, place)
        extras: list[Callback] = [ProgressBar()]
        extras += [TopologyRecorder()] if job.report else []
        extras += [pruning] if settings.importance_pruning else []
        extras += [] if settings.patience is None else [EarlyStopping("loss", patience=settings.patience)]
        extras.append(MetricsFile(out / PARTIAL, [] if start is None else start.records))
        extras += [] if job.keeper is None else [job.keeper]
        began = time.perf_counter()
        dataset = work.dataset
        with nullcontext() if job.keeper is None else job.interrupts.deferred():
            history = trainer.fit(
                dataset.X_train,
                dataset.y_train,
                epochs=settings.epochs,
                validation_data=(dataset.X_test, dataset.y_test),
                callbacks=extras,
                resume=start,
            )
        seconds = time.perf_counter() - began
    except BaseException:
        if job.moved and not (job.keeper and job.keeper.began):
            put_back(out)
        raise
    with job.interrupts.deferred():
        _finish(job, work, trainer, history, seconds)


def _prepare(job: FitData) -> Work:
    """Reads the data and refuses all that can be refused before a network is made."""
    s = job.settings
    topology = make_evolution(s.evolution, zeta=s.zeta, argument="--evolution")
    s.make_optimizer()
    activations.make_activation(s.activation, s.alpha)
    WeightInit(s.init, s.fan, s.balance)
    StorageConfig.create(s.storage, s.weights, s.weights, None, "float32")
    checks.thread_count(job.threads)
    plan = s.make_plan(job.address)
    if job.report:
        new_figure()  # a missing extra is better known before training
    table = read(s.data, target=s.target, stream=s.stream, header=s.header, zero_based=s.zero_based)
    s.check_data(table, job.given)
    dataset = make_dataset(table, test_size=s.test_size, seed=s.seed)
    if plan is not None:
        plan.check(as_matrix(dataset.X_train).n_samples, topology, s.epochs)
    return Work(s, job.out, job.threads, table, dataset, topology, plan)


def _trainer(job: FitData, work: Work, place: Place) -> tuple[Trainer, Position | None]:
    with bars() as progress:
        if job.resume:
            return work.resumed(progress)
        work.require_room()
        if work.settings.on_disk:
            _claim(job, place)
            job.moved = True
            move_aside(job.out)
        return work.started(progress), None


def _finish(job: FitData, work: Work, trainer: Trainer, history: History, seconds: float) -> None:
    """Writes the run folder and prints what came of the training."""
    settings, out, net = job.settings, job.out, trainer.net
    table, dataset = work.table, work.dataset
    passed = history["epoch"][-1]  # the epochs of a phase that workers spend alone have one record
    scores = evaluate(net, dataset.X_test, dataset.y_test)
    config = {
        **asdict(settings),
        "fingerprint": fingerprint(settings.data),
        "target": table.target,
        "features": table.features,
        "columns": table.columns,
        "zero_based": table.zero_based,
        "has_test_set": table.X_test is not None,
        **activations.settings(net.activation),
        "weight_decay_mode": trainer.optimizer.weight_decay_mode,
    }
    figures = {
        "accuracy": scores["accuracy"],
        "loss": scores["loss"],
        "seconds": round(seconds, 3),
        "epochs": passed,
        "connections": net.n_connections,
        "neurons": net.n_neurons,
        "peak_rss_mb": peak_rss_mb(),
    }
    shown = {
        "test accuracy": f"{scores['accuracy']:.4f}  ({len(dataset.y_test)} samples)",
        "test loss": f"{scores['loss']:.4f}",
        "training": f"{passed} epochs of {as_matrix(dataset.X_train).n_samples} samples in {seconds:.1f} s",
        "network": f"{'-'.join(map(str, net.layer_sizes))}",
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense)",
        "peak memory": f"{figures['peak_rss_mb']} MB",
        "saved to": str(out),
    }
    title = f"Trained on {settings.data}"

    def report(path: Path) -> None:
        write_report(path, net, history.records, title=title, facts=shown)

    with bars() as progress:
        write_run(out, net, config, history.records, report if job.report else None, progress)
    if (out / CHECKPOINT).is_dir():
        shutil.rmtree(out / CHECKPOINT)
    show(title, shown)
    if job.json_line:
        print_json(figures)
