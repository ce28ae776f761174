"""Layer-wise pre-training with two SparseRBMs against the same network from scratch, on scikit-learn's digits.

    python benchmarks/unsupervised/rbm_pretraining.py

64-200-100-10, about 6,100 connections, Adam, SET 0.1, batches of 32. 30 % of the rows, drawn by the seed, are the test;
the machines see all other rows, the network those with labels. Its learning rate is the best of three on a fifth of the
labelled rows; test rows are looked at once. From scratch the same layers with sigmoid units, and with ReLU.
Results go to benchmarks/results/unsupervised_rbm_pretraining.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _results import keep
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import trulysparse as ts

LABELS = {1257: 20, 200: 60, 100: 60}
"""Labelled rows, and epochs of the network."""
RATES = (0.001, 0.003, 0.01)


def networks(X: NDArray[np.float64], seed: int) -> dict[str, Callable[[], ts.SparseMLP]]:
    """What makes each of the networks."""
    options: dict[str, Any] = {"n_iter": 20, "random_state": seed, "n_jobs": 1}
    first = ts.SparseRBM(200, **options).fit(X)
    second = ts.SparseRBM(100, **options).fit(first.transform(X))
    last = ts.SparseMLP((100, 10), density=0.5, seed=seed, threads=1).layers[0]

    def pretrained() -> ts.SparseMLP:
        return ts.SparseMLP.from_matrices(
            [first.components_, second.components_, last.weight],
            [first.intercept_hidden_, second.intercept_hidden_, last.bias],
            activation="sigmoid",
            output="softmax",
            threads=1,
        )

    density = [layer.n_connections / (layer.n_in * layer.n_out) for layer in pretrained().layers]
    same: dict[str, Any] = {"density": density, "seed": seed, "threads": 1}
    return {
        "pre-trained, sigmoid": pretrained,
        "from scratch, sigmoid": lambda: ts.SparseMLP((64, 200, 100, 10), activation="sigmoid", **same),
        "from scratch, ReLU": lambda: ts.SparseMLP((64, 200, 100, 10), activation="relu", fan="sparse", **same),
    }


def main() -> None:
    """All networks, five seeds."""
    X, y = load_digits(return_X_y=True)
    for seed in range(5):
        X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=seed, stratify=y)
        made = networks(X_train, seed)
        for labels, epochs in LABELS.items():
            rows = np.arange(len(X_train))
            if labels < len(rows):
                rows = train_test_split(rows, train_size=labels, stratify=y_train, random_state=seed)[0]
            inner, outer = train_test_split(rows, test_size=0.2, stratify=y_train[rows], random_state=seed)

            def trained(make: Callable[[], ts.SparseMLP], rate: float, rows: Any, epochs: int = epochs) -> ts.SparseMLP:
                net = make()
                trainer = ts.Trainer(net, optimizer=ts.Adam(rate), evolution=ts.SET(0.1), batch_size=32, threads=1)
                trainer.fit(X_train[rows], y_train[rows], epochs=epochs)  # noqa: B023  # called at once
                return net

            for name, make in made.items():
                scores = {}
                for rate in RATES:
                    net = trained(make, rate, inner)
                    scores[rate] = float((net.predict(X_train[outer]) == y_train[outer]).mean())
                rate = max(scores, key=lambda each: scores[each])
                accuracy = float((trained(make, rate, rows).predict(X_test) == y_test).mean())
                row = {"labels": labels, "model": name, "seed": seed, "rate": rate, "accuracy": accuracy}
                keep("rbm_pretraining", row, ("labels", "model", "seed"))
                print(row, flush=True)


if __name__ == "__main__":
    main()
