"""trulysparse train"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from trulysparse import _checks, activations
from trulysparse.analysis import TopologyRecorder
from trulysparse.cli._console import peak_rss_mb, print_json, show, speaks_plainly
from trulysparse.cli._run import METRICS, REPORT, MetricsFile, check_folder, write_run
from trulysparse.connectivity import PATTERNS
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.dataset import make_dataset
from trulysparse.data.files import fingerprint, read
from trulysparse.errors import InputError
from trulysparse.evolution import NAMES, make
from trulysparse.learning_rates import CosineRate, LearningRate
from trulysparse.network import SparseMLP
from trulysparse.optimizers import SGD, Adam, Optimizer
from trulysparse.parallel import WASAP, WASSP
from trulysparse.parallel.sources import TrainingFile
from trulysparse.report import write_report
from trulysparse.report.figures import new_figure
from trulysparse.training import Callback, EarlyStopping, ImportancePruning, ProgressBar, Trainer, evaluate


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--hidden must be comma-separated integers such as 1000,1000, not '{text}'") from None
    return [_checks.integer("--hidden", size, low=1) for size in sizes]


def _optimizer(
    name: str,
    rate: float,
    schedule: str,
    warmup: float,
    momentum: float,
    nesterov: bool,
    decay: float,
    mode: str | None,
) -> Optimizer:
    chosen: LearningRate | float = rate
    if _checks.choice("--schedule", schedule, ("constant", "cosine")) == "cosine":
        chosen = CosineRate(rate, warmup=warmup)
    if _checks.choice("--optimizer", name, ("sgd", "adam")) == "adam":
        return Adam(chosen, weight_decay=decay, weight_decay_mode=mode or "decoupled")
    return SGD(chosen, momentum, nesterov, decay, mode or "l2")


def _plan(
    name: str | None,
    workers: int,
    phase1_epochs: int | None,
    backend: str,
    address: str | None,
    source: TrainingFile,
) -> WASAP | None:
    _checks.integer("--workers", workers, low=1)
    if name is None and workers == 1:
        for option, value in (("--address", address), ("--phase1-epochs", phase1_epochs)):
            if value is not None:
                raise InputError(f"{option} is for parallel training: give --workers too")
        return None
    kind = WASSP if _checks.choice("--parallel", name or "wasap", ("wasap", "wassp")) == "wassp" else WASAP
    data = source if backend == "ray" else None
    return kind(workers, phase1_epochs, backend=backend, address=address, data=data)


@speaks_plainly
def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="digits, breast_cancer, madelon-like, or a .npz, .csv, .parquet or .libsvm file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model, its settings and metrics.")],
    target: Annotated[
        str | None, typer.Option(help="Label column of a table. Default: target, label, class or y, else the last.")
    ] = None,
    test_size: Annotated[float, typer.Option(help="Share of samples held out where DATA has no test set.")] = 0.2,
    scale: Annotated[str, typer.Option(help="none, standard or minmax, with the training set's figures.")] = "standard",
    hidden: Annotated[str, typer.Option(help="Hidden layer sizes.")] = "1000,1000,1000",
    epsilon: Annotated[
        float, typer.Option(help="A layer n_in x n_out has epsilon * (n_in + n_out) connections.")
    ] = 20.0,
    density: Annotated[
        float | None, typer.Option(help="In the place of epsilon: share of the dense network's connections.")
    ] = None,
    connectivity: Annotated[str, typer.Option(help="At the start: " + ", ".join(PATTERNS) + ".")] = "erdos_renyi",
    activation: Annotated[str, typer.Option(help=", ".join(activations.NAMES) + ".")] = "all_relu",
    alpha: Annotated[
        float | None, typer.Option(help="Left slope of all_relu (default 0.6) and leaky_relu (0.01).")
    ] = None,
    init: Annotated[str, typer.Option(help="he_uniform, xavier_uniform or normal.")] = "he_uniform",
    fan: Annotated[
        str, typer.Option(help="Fan of the initial weights: dense (n_in) or sparse (connections a neuron).")
    ] = "dense",
    balance: Annotated[
        bool, typer.Option(help="Scale the output layer's initial weights to make up for what hidden layers lose.")
    ] = True,
    evolution: Annotated[str, typer.Option(help=", ".join(NAMES) + ": how the topology changes.")] = "set",
    zeta: Annotated[float, typer.Option(help="set: fraction of connections replaced after each epoch.")] = 0.3,
    importance_pruning: Annotated[
        float, typer.Option(help="Percentile of hidden neurons to remove at each importance pruning; 0: none.")
    ] = 0.0,
    importance_start: Annotated[int, typer.Option(help="First epoch after which to prune by importance.")] = 200,
    importance_every: Annotated[int, typer.Option(help="Epochs between prunings by importance.")] = 10,
    epochs: Annotated[int, typer.Option(help="Passes over the training samples.")] = 50,
    batch_size: Annotated[int, typer.Option(help="Samples an update.")] = 128,
    optimizer: Annotated[str, typer.Option(help="sgd or adam.")] = "sgd",
    learning_rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    schedule: Annotated[str, typer.Option(help="constant or cosine.")] = "constant",
    warmup: Annotated[float, typer.Option(help="Epochs of linear warm-up (cosine).")] = 0.0,
    momentum: Annotated[float, typer.Option(help="Momentum (sgd).")] = 0.9,
    nesterov: Annotated[bool, typer.Option("--nesterov", help="Nesterov momentum (sgd).")] = False,
    weight_decay: Annotated[float, typer.Option(help="Weight decay.")] = 0.0,
    weight_decay_mode: Annotated[
        str | None,
        typer.Option(help="l2 (default of sgd), decoupled (of adam), or direct: not multiplied by the learning rate."),
    ] = None,
    dropout: Annotated[float, typer.Option(help="Share of hidden activations dropped.")] = 0.0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after this many epochs without a better training loss.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same network, whatever the number of threads.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Of the kernels. Default: all cores.")] = None,
    workers: Annotated[int, typer.Option(help="More than one: parallel training, on one thread each.")] = 1,
    parallel: Annotated[
        str | None, typer.Option(help="wasap (asynchronous, default with several workers) or wassp (synchronous).")
    ] = None,
    phase1_epochs: Annotated[
        int | None, typer.Option(help="Epochs that workers train together. Default: 70 %; then each alone.")
    ] = None,
    backend: Annotated[str, typer.Option(help="Where workers run: threads or ray (extra 'ray').")] = "threads",
    address: Annotated[str | None, typer.Option(help="Of a running Ray cluster; none: a local one is started.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Follow the topology and write report.html (extra 'analysis').")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")
    ] = False,
) -> None:
    """Train a truly sparse network and score it on data it has not seen."""
    sizes = _sizes(hidden)
    _checks.integer("--epochs", epochs, low=1)
    _checks.real("--zeta", zeta, low=0, high=1)
    topology = make(evolution, zeta=zeta, argument="--evolution")
    chosen = _optimizer(optimizer, learning_rate, schedule, warmup, momentum, nesterov, weight_decay, weight_decay_mode)
    shape = activations.make(activation, alpha)
    place = str(Path(data).resolve()) if Path(data).is_file() else data  # a worker may run in another folder
    source = TrainingFile(place, target, test_size=test_size, seed=seed)
    plan = _plan(parallel, workers, phase1_epochs, backend, address, source)
    pruning = ImportancePruning(importance_pruning, start=importance_start, every=importance_every)
    if report:
        new_figure()  # a missing extra is better known before training
    check_folder(out)
    table = read(data, target=target)
    dataset = make_dataset(table, test_size=test_size, seed=seed)
    matrix = as_matrix(dataset.X_train)
    if plan is not None:
        plan.check(matrix.n_samples, topology, epochs)
    net = SparseMLP(
        (matrix.n_features, *sizes, len(dataset.labels)),
        epsilon=epsilon,
        density=density,
        connectivity=connectivity,
        activation=shape,
        init=init,
        fan=fan,
        balance=balance,
        seed=seed,
        threads=threads,
    )
    net.labels = dataset.labels
    net.scaling = fit_scaling(scale, matrix)
    callbacks = [ProgressBar()]
    trainer = Trainer(
        net,
        optimizer=chosen,
        evolution=topology,
        batch_size=batch_size,
        dropout=dropout,
        seed=seed,
        callbacks=callbacks,
        parallel=plan,
    )
    extras: list[Callback] = [TopologyRecorder()] if report else []
    extras += [pruning] if importance_pruning else []
    extras += [] if patience is None else [EarlyStopping("loss", patience=patience)]
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    history = trainer.fit(
        dataset.X_train,
        dataset.y_train,
        epochs=epochs,
        validation_data=(dataset.X_test, dataset.y_test),
        callbacks=[*extras, MetricsFile(out / METRICS)],
    )
    seconds = time.perf_counter() - began
    passed = history["epoch"][-1]  # the epochs of a phase that workers spend alone have one record
    scores = evaluate(net, dataset.X_test, dataset.y_test)
    config = {
        "data": data,
        "fingerprint": fingerprint(data),
        "target": table.target,
        "features": table.features,
        "has_test_set": table.X_test is not None,
        "test_size": test_size,
        "scale": scale,
        "hidden": sizes,
        "epsilon": epsilon,
        "density": density,
        "connectivity": connectivity,
        **activations.settings(shape),
        "init": init,
        "fan": fan,
        "balance": balance,
        "evolution": evolution,
        "zeta": zeta,
        "importance_pruning": importance_pruning,
        "importance_start": importance_start,
        "importance_every": importance_every,
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "warmup": warmup,
        "momentum": momentum,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
        "weight_decay_mode": chosen.weight_decay_mode,
        "dropout": dropout,
        "patience": patience,
        "seed": seed,
        "workers": workers,
        "parallel": parallel,
        "phase1_epochs": phase1_epochs,
        "backend": backend,
    }
    write_run(out, net, config)
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
        "training": f"{passed} epochs of {len(dataset.y_train)} samples in {seconds:.1f} s",
        "network": f"{'-'.join(map(str, net.layer_sizes))}",
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense)",
        "peak memory": f"{figures['peak_rss_mb']} MB",
        "saved to": str(out),
    }
    if report:
        write_report(out / REPORT, net, history.records, title=f"Trained on {data}", facts=shown)
    show(f"Trained on {data}", shown)
    if json:
        print_json(figures)
