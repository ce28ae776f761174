"""Accuracy, size and time with ReLU and All-ReLU, with and without importance pruning.

Pruning removes a fifth of the neurons of each hidden layer three times, at the epochs below.

    python benchmarks/importance.py fashion_mnist.npz cifar10.npz madelon.npz

A file holds X_train, y_train, X_test, y_test, or X and y (then a quarter of them is held out).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _run import keep
from sklearn.model_selection import train_test_split

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling

# hidden layers, epsilon, alpha of All-ReLU, epochs, batch, dropout, epochs after which to prune: the networks of Curci,
# Mocanu and Pechenizkiy (2021), with fewer epochs (they have 500)
SETTINGS = {
    "fashion_mnist": ((1000, 1000, 1000), 20, 0.6, 40, 128, 0.3, (12, 16, 20)),
    "cifar10": ((4000, 1000, 4000), 20, 0.75, 60, 128, 0.3, (6, 9, 12)),
    "madelon": ((400, 100, 400), 10, 0.5, 200, 32, 0.3, (60, 80, 100)),
}


def load(path: Path) -> tuple[np.ndarray, ...]:
    with np.load(path) as file:
        if "X_train" in file:
            return tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
        X, y = file["X"], np.unique(file["y"], return_inverse=True)[1]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    return X_train, y_train, X_test, y_test


def run(data: tuple[np.ndarray, ...], name: str, activation: ts.ReLU | ts.AllReLU, prune: bool, seed: int) -> dict:
    X, y, X_test, y_test = data
    hidden, epsilon, _, epochs, batch, dropout, pruned = SETTINGS[name]
    sizes = (X.shape[1], *hidden, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=epsilon, activation=activation, seed=seed, threads=given.threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    start = net.n_connections
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(0.01, 0.9, weight_decay=2e-4),
        evolution=ts.SET(0.3, fresh="init"),
        batch_size=batch,
        dropout=dropout,
        seed=seed,
    )
    when = {"start": pruned[0], "every": pruned[1] - pruned[0], "stop": pruned[-1]}
    began = time.perf_counter()
    trainer.fit(X, y, epochs=epochs, callbacks=[ts.ImportancePruning(20, **when)] if prune else [])
    return {
        "seconds": time.perf_counter() - began,
        "accuracy": ts.evaluate(net, X_test, y_test)["accuracy"],
        "connections": (start, net.n_connections),
        "neurons": (sum(hidden), sum(net.layer_sizes[1:-1])),
    }


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", nargs="+", type=Path)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
given = parser.parse_args()
rows = []
for path in given.data:
    data, alpha = load(path), SETTINGS[path.stem][2]
    for activation in (ts.ReLU(), ts.AllReLU(alpha)):
        for prune in (False, True):
            runs = [run(data, path.stem, activation, prune, seed) for seed in range(given.seeds)]
            rows.append({"data": path.stem, "activation": activation.name, "pruning": prune, "runs": runs})
            keep("importance", given.threads, rows)
table(
    f"SET, {given.seeds} seeds, {given.threads} threads",
    ["data", "activation", "pruning", "accuracy, %", "sd", "connections", "left", "hidden neurons", "left", "seconds"],
    [
        [
            r["data"],
            r["activation"],
            "yes" if r["pruning"] else "no",
            f"{100 * np.mean([x['accuracy'] for x in r['runs']]):.2f}",
            f"{100 * np.std([x['accuracy'] for x in r['runs']], ddof=given.seeds > 1):.2f}",
            *(f"{np.mean([x['connections'][i] for x in r['runs']]):,.0f}" for i in (0, 1)),
            *(f"{np.mean([x['neurons'][i] for x in r['runs']]):,.0f}" for i in (0, 1)),
            f"{np.mean([x['seconds'] for x in r['runs']]):.1f}",
        ]
        for r in rows
    ],
)
