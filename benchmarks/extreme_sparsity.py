"""Accuracy below 1 % of the dense network's connections: 784-1000x3-10, starts and evolution methods, and accuracy
against the number of connections beside dense and narrow networks.

ReLU, weights scaled by each neuron's inputs, batch 128, momentum SGD along a cosine with weight decay; rates and decay
were chosen on the last 10,000 training samples (--held-out 10000). Last epoch, test samples; one thread; seconds are
processor seconds of training.

    python benchmarks/extreme_sparsity.py fashion_mnist.npz --seeds 3
    python benchmarks/extreme_sparsity.py fashion_mnist.npz --figure --seeds 3
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from _run import RESULTS, keep

import trulysparse as ts
from trulysparse.analysis import dead_neurons, effective_connections
from trulysparse.bench.report import plot, table
from trulysparse.evolution import grow, prune

HIDDEN, EPOCHS, BATCH = 1000, 15, 128
MANY = 300_000  # connections from which on networks are trained once, without evolution
DENSITIES = (0.002, 0.001, 0.0005)
RATE, MOMENTUM, DECAY = 0.2, 0.9, 1e-4
RATES = (0.01, 0.03, 0.1, 0.2)  # of which --figure chooses for each network

EVERY_EPOCH = {"schedule": ts.Schedule(0.3, every_epochs=1), "fresh": "zero", "percolate": True, "output_layer": True}
METHODS: dict[str, Callable[[], ts.Evolution | None]] = {
    "static": lambda: None,
    "SET": lambda: ts.SET(percolate=True, output_layer=True),
    "SET anywhere": ts.SET,
    "RigL": lambda: ts.Evolution(prune.magnitude, grow.LargestGradient(), **EVERY_EPOCH),
}


@dataclass
class Case:
    """One network and how it is trained."""

    name: str
    width: int
    density: float
    start: str = "connected"
    method: str = "static"


def load(path: str, held_out: int) -> tuple[np.ndarray, ...]:
    """Training and test samples or, with held_out, training samples without and with the last `held_out` of them."""
    with np.load(path) as file:
        X, y, X_test, y_test = (file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    if held_out:
        X, y, X_test, y_test = X[:-held_out], y[:-held_out], X[-held_out:], y[-held_out:]
    X, X_test = (each.reshape(len(each), -1).astype(np.float32) for each in (X, X_test))
    mean, deviation = X.mean(), X.std()
    return (X - mean) / deviation, y, (X_test - mean) / deviation, y_test


def run(case: Case, data: tuple[np.ndarray, ...], seed: int, given: argparse.Namespace) -> dict:
    """Trains one network."""
    X, y, X_test, y_test = data
    net = ts.SparseMLP(
        (X.shape[1], *[case.width] * 3, int(y.max()) + 1),
        density=case.density,
        connectivity=case.start,
        activation="relu",
        fan="sparse",
        seed=seed,
        threads=1,
    )
    start = effective_connections(net).share
    optimizer = ts.SGD(ts.CosineRate(given.rate), momentum=MOMENTUM, weight_decay=given.decay)
    trainer = ts.Trainer(net, optimizer=optimizer, evolution=METHODS[case.method](), batch_size=BATCH, seed=seed)
    began = time.process_time()
    loss = math.nan
    with suppress(ts.DivergenceError):
        loss = trainer.fit(X, y, epochs=given.epochs)["loss"][-1]
    seconds = time.process_time() - began
    return {
        "case": vars(case),
        "seed": seed,
        "rate": given.rate,
        "connections": net.n_connections,
        "accuracy": float((net.predict(X_test) == y_test).mean()),
        "loss": loss,
        "effective_at_start": start,
        "effective": effective_connections(net).share,
        "live": [int((~dead).sum()) for dead in dead_neurons(net)],
        "seconds": seconds,
    }


def chosen_rate(case: Case, data: tuple[np.ndarray, ...], given: argparse.Namespace) -> float:
    """The best of some rates on the last 10,000 training samples, seed 0: dense and sparse networks want others."""
    X, y = data[:2]
    part = X[:-10_000], y[:-10_000], X[-10_000:], y[-10_000:]
    found = {rate: run(case, part, 0, argparse.Namespace(**vars(given) | {"rate": rate})) for rate in RATES}
    return max(found, key=lambda rate: found[rate]["accuracy"])


def below_one_percent() -> list[Case]:
    """Starts and methods at each density."""
    return [
        Case("", HIDDEN, density, start, method)
        for density in DENSITIES
        for start in ("erdos_renyi", "connected")
        for method in METHODS
    ]


def by_connections() -> list[Case]:
    """Networks of 1,000 to 3,000,000 connections: sparse and wide, sparse and narrow, dense."""
    total = 784 * HIDDEN + 2 * HIDDEN**2 + 10 * HIDDEN
    cases = []
    for count in (1_000, 2_000, 5_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, total):
        for method in ("static", "RigL"):
            if count < MANY or method == "static":
                cases.append(Case(f"sparse, 3 x 1000, {method}", HIDDEN, count / total, "connected", method))
        narrow = 784 * 100 + 2 * 100**2 + 10 * 100
        if count < narrow:
            cases.append(Case("sparse, 3 x 100, static", 100, count / narrow, "connected", "static"))
        # Neurons of a dense network of as many connections: 2 w^2 + 794 w = count.
        width = max(1, round((-794 + (794**2 + 8 * count) ** 0.5) / 4))
        if count < total:
            cases.append(Case("dense", width, 1.0, "erdos_renyi", "static"))
    return cases


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="an .npz file with X_train, y_train, X_test and y_test")
    parser.add_argument("--figure", action="store_true", help="accuracy by connections in place of the table")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--decay", type=float, default=DECAY)
    parser.add_argument("--held-out", type=int, default=0, help="training samples to test on in place of the test's")
    parser.add_argument("--only", default="", help="of these starts and methods: connected:static,...")
    return parser.parse_args()


def main() -> None:
    given = parsed()
    data = load(given.data, given.held_out)
    cases = by_connections() if given.figure else below_one_percent()
    if given.only:
        cases = [case for case in cases if f"{case.start}:{case.method}" in given.only.split(",")]
    settings = {name: getattr(given, name) for name in ("seeds", "epochs", "rate", "decay", "held_out")}
    results, rows, lines = [], [], {}
    for case in cases:
        dense = 784 * case.width + 2 * case.width**2 + 10 * case.width
        seeds = 1 if case.density * dense > 0.99 * MANY else given.seeds
        if given.figure:
            given.rate = chosen_rate(case, data, given)
        runs = [run(case, data, seed, given) for seed in range(seeds)]
        results += runs
        accuracy = [100 * each["accuracy"] for each in runs]
        mean, spread = statistics.fmean(accuracy), statistics.stdev(accuracy) if len(runs) > 1 else 0.0
        row = [
            case.name or f"{case.density:.2%}, {case.start}, {case.method}",
            f"{runs[0]['connections']:,}",
            f"{mean:.2f} ± {spread:.2f}",
            f"{statistics.fmean(each['effective_at_start'] for each in runs):.2f}",
            f"{statistics.fmean(each['effective'] for each in runs):.2f}",
            "-".join(map(str, runs[0]["live"])),
            f"{statistics.fmean(each['seconds'] for each in runs):.1f}",
        ]
        rows.append(row)
        print(*row, sep=" | ", flush=True)
        xs, ys = lines.setdefault(case.name, ([], []))
        xs.append(runs[0]["connections"])
        ys.append(mean)
        if not given.held_out and not given.only:
            keep(f"extreme_sparsity{'_figure' if given.figure else ''}", 1, {"settings": settings, "runs": results})
    headings = ["network", "connections", "accuracy %", "on a path: start", "end", "live neurons", "seconds"]
    table(f"Fashion-MNIST, {given.epochs} epochs, {given.seeds} seeds", headings, rows)
    if given.figure:
        path = RESULTS / "extreme_sparsity.png"
        plot(path, x="connections", y="accuracy (%)", lines=lines, title="784-w-w-w-10", y_scale="linear")


if __name__ == "__main__":
    main()
