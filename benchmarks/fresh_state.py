"""Adam's state of new connections, zero or typical: accuracy with SET and RigL at two sparsities.

One learning rate for all runs, chosen on validation samples held out of the training set; then every run trains on the
whole training set, and the test set is looked at once, at its end. Runs of one seed differ in `fresh_state` alone.
Beside them a short training on a small table, which evolves every eight updates.

    python benchmarks/fresh_state.py fashion_mnist.npz
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np
from _run import keep
from sklearn.datasets import make_regression

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling

HIDDEN = (1000, 1000, 1000)
BATCH, ALPHA, DROPOUT = 128, 0.6, 0.3
SETTINGS = ("zero", "typical")
METHODS = {"set": lambda: ts.SET(fresh="init"), "rigl": ts.RigL}
HELD_OUT = 10_000
CHOICE_SEEDS = (1000, 1001, 1002)  # no other runs have them


def run(samples: tuple[np.ndarray, ...], setting: str, method: str, epsilon: float, rate: float, seed: int) -> dict:
    """Trains on (X, y), the first two samples arrays, and scores the other two at the end."""
    X, y, X_test, y_test = samples
    sizes = (X.shape[1], *HIDDEN, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=epsilon, activation=ts.AllReLU(ALPHA), seed=seed, threads=given.threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    optimizer = ts.Adam(rate, fresh_state=setting)
    trainer = ts.Trainer(
        net, optimizer=optimizer, evolution=METHODS[method](), batch_size=BATCH, dropout=DROPOUT, seed=seed
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
        "training_loss": history["loss"][-1],
        "seconds": time.perf_counter() - began,
    }


def short_run(setting: str, epsilon: float, seed: int) -> dict:
    """480 updates and 60 evolutions on 500 samples; R2 on 100 others."""
    X, y = make_regression(600, 20, n_targets=3, noise=1, random_state=0)
    optimizer = ts.Adam(0.01, fresh_state=setting)
    evolution = METHODS["set"]()
    model = ts.SparseMLPRegressor(
        (100,), epsilon=epsilon, epochs=60, optimizer=optimizer, evolution=evolution, random_state=seed
    )
    score = model.fit(X[:500], y[:500]).score(X[500:], y[500:])
    cell = {"setting": setting, "method": "set", "epsilon": epsilon, "learning_rate": 0.01, "seed": seed}
    return {**cell, "accuracy": score}


def validation_runs(X: np.ndarray, y: np.ndarray) -> list[dict]:
    """Runs with every learning rate, scored on samples held out of the training set."""
    order = np.random.default_rng(0).permutation(len(y))
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]
    samples = X[rest], y[rest], X[held_out], y[held_out]
    return [run(samples, *cell) for cell in product(SETTINGS, methods, epsilons, rates, CHOICE_SEEDS)]


def best_rate(runs: list[dict]) -> float:
    """The learning rate of the highest mean accuracy over methods, sparsities and both settings."""
    means = [np.mean([r["accuracy"] for r in runs if r["learning_rate"] == rate]) for rate in rates]
    return rates[int(np.argmax(means))]


def spread(values: list[float]) -> str:
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=len(values) > 1):.2f}"


def compare(title: str, runs: list[dict]) -> None:
    """Prints a table of means and deviations, and of the differences between runs that differ in nothing else."""
    found: dict[tuple, list[dict[str, float]]] = {}
    for r in runs:
        pairs = found.setdefault((r["method"], r["epsilon"], r["learning_rate"]), [{}, {}])
        pairs[SETTINGS.index(r["setting"])][r["seed"]] = r["accuracy"]
    table(
        title,
        ["method", "epsilon", "learning rate", "runs", *SETTINGS, "difference"],
        [
            [
                method,
                f"{epsilon:g}",
                f"{rate:g}",
                f"{len(zero)}",
                spread(list(zero.values())),
                spread(list(typical.values())),
                spread([typical[seed] - zero[seed] for seed in zero]),
            ]
            for (method, epsilon, rate), (zero, typical) in found.items()
        ],
    )


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", help=".npz with X_train, y_train, X_test, y_test")
parser.add_argument("--epsilons", default="3,20")
parser.add_argument("--methods", default="set,rigl")
parser.add_argument("--rates", default="0.0003,0.001,0.003")
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--name", default="fresh_state", help="results/NAME.json")
given = parser.parse_args()
methods = given.methods.split(",")
epsilons, rates = ([float(each) for each in text.split(",")] for text in (given.epsilons, given.rates))

with np.load(given.data) as file:
    data = tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
choice = validation_runs(data[0], data[1])
title = f"{Path(given.data).stem}, {given.epochs} epochs, accuracy in % on"
compare(f"{title} validation samples", choice)
chosen = best_rate(choice)
runs: list[dict] = []
kept: dict = {}
for seed, method, epsilon, setting in product(range(given.seeds), methods, epsilons, SETTINGS):
    runs.append(run(data, setting, method, epsilon, chosen, seed))
    kept = {"epochs": given.epochs, "learning_rate": chosen, "choice": choice, "runs": runs}
    keep(given.name, given.threads, kept)
    print(setting, method, epsilon, seed, runs[-1]["accuracy"], f"{runs[-1]['seconds']:.1f} s", flush=True)

compare(f"{title} test samples", runs)
short = [short_run(*cell) for cell in product(SETTINGS, epsilons, range(given.seeds))]
compare("a table of 500 samples, 60 epochs, R2 in %", short)
keep(given.name, given.threads, {**kept, "short": short})
