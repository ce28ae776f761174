"""trulysparse train"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse._core import checks
from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._settings import Settings
from trulysparse.cli._training import FitData, train_anew
from trulysparse.connectivity import PATTERNS
from trulysparse.errors import InputError
from trulysparse.evolution import NAMES
from trulysparse.nn import activations


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--hidden must be comma-separated integers such as 1000,1000, not '{text}'") from None
    return [checks.integer("--hidden", size, low=1) for size in sizes]


@handle_user_errors
def train(
    ctx: typer.Context,
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
    header: Annotated[
        bool | None,
        typer.Option(
            help="Whether a .csv file's first line names the columns. Default: it must; one like a sample is refused."
        ),
    ] = None,
    zero_based: Annotated[
        bool | None,
        typer.Option(
            "--zero-based/--one-based",
            help="Where a .libsvm file begins to number features. Default: at 0 if there is a feature 0.",
        ),
    ] = None,
    test_size: Annotated[float, typer.Option(help="Share of samples held out where DATA has no test set.")] = 0.2,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read DATA block by block while training: sets larger than memory.")
    ] = False,
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
    storage: Annotated[
        str, typer.Option(help="indexed, or compact: for millions of neurons, half the memory and time.")
    ] = "indexed",
    precision: Annotated[
        str, typer.Option(help="Of weights and activations: float32 or, with compact storage, bfloat16.")
    ] = "float32",
    on_disk: Annotated[
        bool, typer.Option("--on-disk", help="Layers live in files in the run folder (compact storage).")
    ] = False,
    evolution: Annotated[str, typer.Option(help=", ".join(NAMES) + ": how the topology changes.")] = "set",
    zeta: Annotated[float, typer.Option(help="set: fraction of connections replaced after each epoch.")] = 0.3,
    importance_pruning: Annotated[
        float, typer.Option(help="Percentile of hidden neurons to remove at each importance pruning; 0: none.")
    ] = 0.0,
    importance_start: Annotated[int, typer.Option(help="First epoch after which to prune by importance.")] = 200,
    importance_every: Annotated[int, typer.Option(help="Epochs between prunings by importance.")] = 10,
    epochs: Annotated[int, typer.Option(help="Passes over the training samples.")] = 50,
    batch_size: Annotated[int, typer.Option(help="Samples an update.")] = 128,
    micro_batch_size: Annotated[
        int | None, typer.Option(help="Samples taken at a time; their gradients add up to the batch's. Default: all.")
    ] = None,
    recompute: Annotated[
        int, typer.Option(help="Keep each n-th layer's activations, compute others again on the way back; 1: keep all.")
    ] = 1,
    optimizer: Annotated[str, typer.Option(help="sgd or adam.")] = "sgd",
    learning_rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    schedule: Annotated[str, typer.Option(help="constant or cosine.")] = "constant",
    warmup: Annotated[float, typer.Option(help="Epochs of linear warm-up (cosine).")] = 0.0,
    momentum: Annotated[float, typer.Option(help="Momentum (sgd).")] = 0.9,
    momentum_precision: Annotated[
        str | None, typer.Option(help="Of optimizer state: float32 or, with compact storage, bfloat16.")
    ] = None,
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
    checkpoint_every: Annotated[
        int, typer.Option(help="Updates between checkpoints, from which `resume` goes on; 0: none.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do without a training in --out that was broken off and could go on.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Follow the topology and write report.html (extra 'analysis').")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object on the last line.")
    ] = False,
) -> None:
    """Train a truly sparse network and score it on data it has not seen."""
    settings = Settings(
        data=data,
        target=target,
        header=header,
        zero_based=zero_based,
        test_size=test_size,
        scale=scale,
        stream=stream,
        hidden=tuple(_sizes(hidden)),
        epsilon=epsilon,
        density=density,
        connectivity=connectivity,
        activation=activation,
        alpha=alpha,
        init=init,
        fan=fan,
        balance=balance,
        storage=storage,
        precision=precision,
        on_disk=on_disk,
        evolution=evolution,
        zeta=zeta,
        importance_pruning=importance_pruning,
        importance_start=importance_start,
        importance_every=importance_every,
        epochs=epochs,
        batch_size=batch_size,
        micro_batch_size=micro_batch_size,
        recompute=recompute,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        warmup=warmup,
        momentum=momentum,
        momentum_precision=momentum_precision,
        nesterov=nesterov,
        weight_decay=weight_decay,
        weight_decay_mode=weight_decay_mode,
        dropout=dropout,
        patience=patience,
        seed=seed,
        workers=workers,
        parallel=parallel,
        phase1_epochs=phase1_epochs,
        backend=backend,
        checkpoint_every=checkpoint_every,
    )
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    train_anew(FitData(settings, out, threads, address, report, json, given=given, overwrite=overwrite))
