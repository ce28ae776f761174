"""What `train` and `resume` do: from settings and data to a trained network in a run folder."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from trulysparse import _checks, activations, memory
from trulysparse._files import write_whole
from trulysparse.analysis import TopologyRecorder
from trulysparse.cli._console import peak_rss_mb, print_json, show
from trulysparse.cli._run import CHECKPOINT, METRICS, REPORT, MetricsFile, check_folder, write_run
from trulysparse.cli.plan import advice, plan_rows
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.dataset import Dataset, make_dataset
from trulysparse.data.files import Table, fingerprint, read
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.evolution import Evolution, make
from trulysparse.layers import Slots
from trulysparse.learning_rates import CosineRate, LearningRate
from trulysparse.network import SparseMLP
from trulysparse.optimizers import SGD, Adam, Optimizer
from trulysparse.parallel import WASAP, WASSP
from trulysparse.parallel.sources import TrainingFile
from trulysparse.plan import Setting, best_setting
from trulysparse.plan import plan as make_plan
from trulysparse.progress import Progress, bars
from trulysparse.report import write_report
from trulysparse.report.figures import new_figure
from trulysparse.training import Callback, EarlyStopping, ImportancePruning, ProgressBar, Trainer, checkpoint, evaluate
from trulysparse.training.checkpointer import LAYERS, STATE, Checkpointer, has_state, open_network
from trulysparse.training.position import Position


@dataclass(frozen=True)
class Settings:
    """All that a training depends on, as config.json keeps it; the options of `train` of the same names."""

    data: str
    target: str | None = None
    header: bool | None = None
    zero_based: bool | None = None
    test_size: float = 0.2
    scale: str = "standard"
    stream: bool = False
    hidden: tuple[int, ...] = (1000, 1000, 1000)
    epsilon: float = 20.0
    density: float | None = None
    connectivity: str = "erdos_renyi"
    activation: str = "all_relu"
    alpha: float | None = None
    init: str = "he_uniform"
    fan: str = "dense"
    balance: bool = True
    storage: str = "indexed"
    precision: str = "float32"
    on_disk: bool = False
    evolution: str = "set"
    zeta: float = 0.3
    importance_pruning: float = 0.0
    importance_start: int = 200
    importance_every: int = 10
    epochs: int = 50
    batch_size: int = 128
    micro_batch_size: int | None = None
    recompute: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: str = "constant"
    warmup: float = 0.0
    momentum: float = 0.9
    momentum_precision: str | None = None
    nesterov: bool = False
    weight_decay: float = 0.0
    weight_decay_mode: str | None = None
    dropout: float = 0.0
    patience: int | None = None
    seed: int = 0
    workers: int = 1
    parallel: str | None = None
    phase1_epochs: int | None = None
    backend: str = "threads"
    checkpoint_every: int = 0

    @staticmethod
    def from_json(values: dict[str, Any]) -> Settings:
        """What config.json holds, or InputError."""
        names = {f.name for f in fields(Settings)}
        known = {name: value for name, value in values.items() if name in names}
        if "data" not in known:
            raise InputError("it names no data")
        return Settings(**(known | {"hidden": tuple(known.get("hidden", Settings.hidden))}))

    def make_optimizer(self) -> Optimizer:
        """The optimizer."""
        rate: LearningRate | float = self.learning_rate
        if _checks.choice("--schedule", self.schedule, ("constant", "cosine")) == "cosine":
            rate = CosineRate(self.learning_rate, warmup=self.warmup)
        state = self.momentum_precision
        if _checks.choice("--optimizer", self.optimizer, ("sgd", "adam")) == "adam":
            mode = self.weight_decay_mode or "decoupled"
            return Adam(rate, weight_decay=self.weight_decay, weight_decay_mode=mode, state=state)
        return SGD(rate, self.momentum, self.nesterov, self.weight_decay, self.weight_decay_mode or "l2", state)

    def make_plan(self, address: str | None) -> WASAP | None:
        """How workers share the training, or None."""
        _checks.integer("--workers", self.workers, low=1)
        if self.parallel is None and self.workers == 1:
            for option, value in (("--address", address), ("--phase1-epochs", self.phase1_epochs)):
                if value is not None:
                    raise InputError(f"{option} is for parallel training: give --workers too")
            return None
        place = str(Path(self.data).resolve()) if Path(self.data).is_file() else self.data  # workers may run elsewhere
        source = TrainingFile(place, self.target, self.test_size, self.seed, self.header, self.zero_based)
        kind = WASSP if _checks.choice("--parallel", self.parallel or "wasap", ("wasap", "wassp")) == "wassp" else WASAP
        data = source if self.backend == "ray" else None
        return kind(self.workers, self.phase1_epochs, backend=self.backend, address=address, data=data)

    def check(self, report: bool) -> None:
        """InputError where options do not go together."""
        for size in self.hidden:
            _checks.integer("--hidden", size, low=1)
        _checks.integer("--epochs", self.epochs, low=1)
        _checks.real("--zeta", self.zeta, low=0, high=1)
        _checks.integer("--checkpoint-every", self.checkpoint_every, low=0)
        if self.checkpoint_every or self.on_disk:
            why = "--on-disk" if self.on_disk else "--checkpoint-every"
            for option, given in (("--workers", self.workers > 1 or self.parallel), ("--patience", self.patience)):
                if given:
                    raise InputError(f"{option} cannot be combined with {why}: its state is not kept")
            if report:
                raise InputError(f"--report cannot be combined with {why}: what it follows is not kept")
        if self.on_disk and self.storage != "compact":
            raise InputError("--on-disk needs --storage compact")


@dataclass
class Work:
    """A training that is about to start."""

    settings: Settings
    out: Path
    threads: int | None
    progress: Progress
    table: Table
    dataset: Dataset
    topology: Evolution | None
    plan: WASAP | None

    def trainer(self, net: SparseMLP, slots: list[Slots] | None = None) -> Trainer:
        """The trainer of a network."""
        s = self.settings
        return Trainer(
            net,
            optimizer=s.make_optimizer(),
            evolution=self.topology,
            batch_size=s.batch_size,
            micro_batch_size=s.micro_batch_size,
            recompute=s.recompute,
            dropout=s.dropout,
            seed=s.seed,
            parallel=self.plan,
            slots=slots,
        )

    def started(self) -> Trainer:
        """A trainer with a network that is made now."""
        s, matrix = self.settings, as_matrix(self.dataset.X_train)
        if s.on_disk and (self.out / CHECKPOINT).is_dir():
            shutil.rmtree(self.out / CHECKPOINT)  # what another training left
        self._require_room((matrix.n_features, *s.hidden, len(self.dataset.labels)))
        net = SparseMLP(
            (matrix.n_features, *s.hidden, len(self.dataset.labels)),
            epsilon=s.epsilon,
            density=s.density,
            connectivity=s.connectivity,
            activation=activations.make(s.activation, s.alpha),
            init=s.init,
            fan=s.fan,
            balance=s.balance,
            storage=s.storage,
            weights=None if s.precision == "float32" else s.precision,
            signals=None if s.precision == "float32" else s.precision,
            folder=self.out / CHECKPOINT / LAYERS if s.on_disk else None,
            seed=s.seed,
            threads=self.threads,
            progress=self.progress,
        )
        net.labels = self.dataset.labels
        net.scaling = fit_scaling(s.scale, matrix, progress=self.progress)
        return self.trainer(net)

    def _require_room(self, sizes: tuple[int, ...]) -> None:
        """NotEnoughMemoryError, with the plan's table and what would fit, where the network does not."""
        s = self.settings
        if s.density is not None:
            return
        size = s.micro_batch_size or s.batch_size
        found = make_plan(
            Setting(
                sizes, s.epsilon, size, s.storage, s.precision, s.precision, s.make_optimizer(), s.recompute, s.on_disk
            ),
            measure=False,
        )
        free = memory.free_bytes()
        if free is not None and found.resident > free:
            show("-".join(map(str, sizes)), plan_rows(found, None))
            raise NotEnoughMemoryError(advice(found, best_setting(found.setting, free), free))

    def resumed(self) -> tuple[Trainer, Position]:
        """The trainer as the checkpoint has it, and where it is."""
        folder = self.out / CHECKPOINT
        if self.settings.on_disk:
            net, slots, state = open_network(folder, self.threads)
            trainer = self.trainer(net, slots)
            trainer.step_count, trainer.epoch = int(state["step_count"]), float(state["epoch"])
            net.labels = self.dataset.labels
            net.scaling = fit_scaling(self.settings.scale, as_matrix(self.dataset.X_train), progress=self.progress)
        else:
            trainer, state = checkpoint.restore(
                folder / STATE, lambda _: None, self.trainer, self.threads, self.progress
            )
        return trainer, Position.from_json(state["position"])


def carry_out(
    settings: Settings,
    out: Path,
    *,
    resume: bool = False,
    threads: int | None = None,
    address: str | None = None,
    report: bool = False,
    json_line: bool = False,
) -> None:
    """Trains, scores on data that training has not seen, writes the run folder and prints what came of it."""
    settings.check(report)
    topology = make(settings.evolution, zeta=settings.zeta, argument="--evolution")
    settings.make_optimizer()
    activations.make(settings.activation, settings.alpha)
    plan = settings.make_plan(address)
    pruning = ImportancePruning(
        settings.importance_pruning, start=settings.importance_start, every=settings.importance_every
    )
    if report:
        new_figure()  # a missing extra is better known before training
    check_folder(out)
    table = read(
        settings.data,
        target=settings.target,
        stream=settings.stream,
        header=settings.header,
        zero_based=settings.zero_based,
    )
    dataset = make_dataset(table, test_size=settings.test_size, seed=settings.seed)
    n_samples = as_matrix(dataset.X_train).n_samples
    if plan is not None:
        plan.check(n_samples, topology, settings.epochs)
    with bars() as progress:
        work = Work(settings, out, threads, progress, table, dataset, topology, plan)
        trainer, start = work.resumed() if resume else (work.started(), None)
    net = trainer.net
    extras: list[Callback] = [ProgressBar()]
    extras += [TopologyRecorder()] if report else []
    extras += [pruning] if settings.importance_pruning else []
    extras += [] if settings.patience is None else [EarlyStopping("loss", patience=settings.patience)]
    out.mkdir(parents=True, exist_ok=True)
    extras.append(MetricsFile(out / METRICS, [] if start is None else start.records))
    kept = settings.checkpoint_every or settings.on_disk
    if kept:
        if not resume:
            _begin_checkpoints(settings, out)
        extras.append(Checkpointer(out / CHECKPOINT, every=settings.checkpoint_every or 1))
    began = time.perf_counter()
    history = trainer.fit(
        dataset.X_train,
        dataset.y_train,
        epochs=settings.epochs,
        validation_data=(dataset.X_test, dataset.y_test),
        callbacks=extras,
        start=start,
    )
    seconds = time.perf_counter() - began
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
    with bars() as progress:
        write_run(out, net, config, progress)
    if kept:
        shutil.rmtree(out / CHECKPOINT)
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
        "training": f"{passed} epochs of {n_samples} samples in {seconds:.1f} s",
        "network": f"{'-'.join(map(str, net.layer_sizes))}",
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense)",
        "peak memory": f"{figures['peak_rss_mb']} MB",
        "saved to": str(out),
    }
    if report:
        write_report(out / REPORT, net, history.records, title=f"Trained on {settings.data}", facts=shown)
    show(f"Trained on {settings.data}", shown)
    if json_line:
        print_json(figures)


def _begin_checkpoints(settings: Settings, out: Path) -> None:
    """A folder for checkpoints of this training alone; layers in files are there already."""
    folder = out / CHECKPOINT
    folder.mkdir(exist_ok=True)
    (folder / STATE).unlink(missing_ok=True)
    if not settings.on_disk and (folder / LAYERS).is_dir():
        shutil.rmtree(folder / LAYERS)
    where = asdict(settings) | {"data": _lasting(settings.data), "fingerprint": fingerprint(settings.data)}
    write_whole(folder / "config.json", lambda path: path.write_text(json.dumps(where, indent=2) + "\n"))


def _lasting(data: str) -> str:
    """The name of the data that holds in any folder."""
    return str(Path(data).resolve()) if Path(data).exists() else data


def settings_of(out: Path) -> Settings:
    """The settings of the training whose checkpoint is in `out`; InputError where there is none."""
    folder = out / CHECKPOINT
    if not (folder / "config.json").is_file():
        raise InputError(
            f"RUN: '{out}' has no checkpoint to go on from: its training is complete, or was not given "
            "--checkpoint-every"
        )
    if not has_state(folder):
        raise InputError(f"RUN: '{out}' was broken off before its first checkpoint: train anew")
    try:
        values = json.loads((folder / "config.json").read_text())
        settings = Settings.from_json(values)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"RUN: '{folder / 'config.json'}' cannot be read ({error})") from None
    if Path(settings.data).exists() and values.get("fingerprint") != fingerprint(settings.data):
        raise InputError(f"DATA: '{settings.data}' has changed since the training of '{out}' began")
    return settings
