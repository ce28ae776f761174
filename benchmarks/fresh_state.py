"""Adam's state of new connections, zero or typical: accuracy with SET and RigL at two sparsities.

One learning rate for all runs, chosen on validation samples held out of the training set; then every run trains on the
whole training set, and the test set is looked at once, at its end. Runs of one seed differ in `fresh_state` alone.

    python benchmarks/fresh_state.py fashion_mnist.npz --seeds 5 --epochs 20 --threads 1
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.evolution import make_evolution

HIDDEN = (1000, 1000, 1000)
BATCH, ALPHA, DROPOUT = 128, 0.6, 0.3
SETTINGS = ("zero", "typical")
HELD_OUT = 10_000
CHOICE_SEED = 1000  # no other run has it


def run(samples: tuple[np.ndarray, ...], setting: str, method: str, epsilon: float, rate: float, seed: int) -> dict:
    """Trains on (X, y), the first two samples arrays, and scores the other two at the end."""
    X, y, X_test, y_test = samples
    sizes = (X.shape[1], *HIDDEN, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=epsilon, activation=ts.AllReLU(ALPHA), seed=seed, threads=given.threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    optimizer = ts.Adam(rate, fresh_state=setting)
    trainer = ts.Trainer(
        net, optimizer=optimizer, evolution=make_evolution(method), batch_size=BATCH, dropout=DROPOUT, seed=seed
    )
    began = time.perf_counter()
    history = trainer.fit(X, y, epochs=given.epochs)
    scores = ts.evaluate(net, X_test, y_test)
    return {
        "setting": setting,
        "method": method,
        "epsilon": epsilon,
        "learning_rate": rate,
        "seed": seed,
        "accuracy": scores["accuracy"],
        "loss": scores["loss"],
        "training_loss": history["loss"],
        "seconds": time.perf_counter() - began,
    }


def choose_rate(X: np.ndarray, y: np.ndarray) -> tuple[float, list[dict]]:
    """The learning rate of the highest mean validation accuracy over methods, sparsities and both settings."""
    order = np.random.default_rng(0).permutation(len(y))
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]
    samples = X[rest], y[rest], X[held_out], y[held_out]
    runs = [run(samples, *cell, CHOICE_SEED) for cell in product(SETTINGS, methods, epsilons, rates)]
    means = [np.mean([r["accuracy"] for r in runs if r["learning_rate"] == rate]) for rate in rates]
    return rates[int(np.argmax(means))], runs


def spread(values: list[float]) -> str:
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=len(values) > 1):.2f}"


def row(method: str, epsilon: float) -> list[str]:
    """Means and deviations of a cell, and of the differences between runs of the same seed."""
    zero, typical = (
        [r["accuracy"] for r in runs if (r["method"], r["epsilon"], r["setting"]) == (method, epsilon, setting)]
        for setting in SETTINGS
    )
    return [
        method,
        f"{epsilon:g}",
        spread(zero),
        spread(typical),
        spread([b - a for a, b in zip(zero, typical, strict=True)]),
    ]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", help=".npz with X_train, y_train, X_test, y_test")
parser.add_argument("--epsilons", default="3,20")
parser.add_argument("--methods", default="set,rigl")
parser.add_argument("--rates", default="0.0003,0.001,0.003")
parser.add_argument("--seeds", type=int, default=5)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--name", default="fresh_state", help="results/NAME.json")
given = parser.parse_args()
methods = given.methods.split(",")
epsilons, rates = ([float(each) for each in text.split(",")] for text in (given.epsilons, given.rates))

with np.load(given.data) as file:
    data = tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
chosen, choice = choose_rate(data[0], data[1])
for r in choice:
    print("validation", r["setting"], r["method"], r["epsilon"], r["learning_rate"], r["accuracy"], flush=True)
runs: list[dict] = []
for seed, method, epsilon, setting in product(range(given.seeds), methods, epsilons, SETTINGS):
    runs.append(run(data, setting, method, epsilon, chosen, seed))
    kept = {"epochs": given.epochs, "learning_rate": chosen, "choice": choice, "runs": runs}
    keep(given.name, given.threads, kept)
    print(setting, method, epsilon, seed, runs[-1]["accuracy"], f"{runs[-1]['seconds']:.1f} s", flush=True)

table(
    f"{Path(given.data).stem}, Adam({chosen:g}), {given.epochs} epochs, {given.seeds} seeds: test accuracy, %",
    ["method", "epsilon", "zero", "typical", "difference"],
    [row(method, epsilon) for method, epsilon in product(methods, epsilons)],
)
