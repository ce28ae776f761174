"""What eight bits cost: test accuracy and bytes of exported networks, float32 beside int8, after full training.

Fashion-MNIST in 784-1000-1000-1000-10 with 125,680 connections, with the settings of `benchmarks/importance.py` and the
hundred epochs of the preset for this data set; digits in 64-100-100-10 with 4,640. Activations are calibrated on training
samples. Nothing is chosen by test samples.

    python benchmarks/export/int8_accuracy.py fashion_mnist.npz --models FOLDER

FOLDER keeps the trained networks; one that is there already is not trained again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling


@dataclass(frozen=True)
class Task:
    """A data set and how it is trained on."""

    name: str
    hidden: tuple[int, ...]
    epsilon: float
    epochs: int
    batch_size: int
    dropout: float


FASHION = Task("fashion", (1000, 1000, 1000), 20, 100, 128, 0.3)
DIGITS = Task("digits", (100, 100), 10, 60, 32, 0.0)


def digits() -> tuple[np.ndarray, ...]:
    """The 8 x 8 digits: 1,400 samples to train on, 397 to test on."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order[:1400]], y[order[:1400]], X[order[1400:]], y[order[1400:]]


def fashion(path: Path) -> tuple[np.ndarray, ...]:
    with np.load(path) as file:
        return tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))


def trained(task: Task, X: np.ndarray, y: np.ndarray, seed: int, epochs: int, threads: int) -> ts.SparseMLP:
    """The network after its training; its scaling is that of the training samples."""
    sizes = (X.shape[1], *task.hidden, int(y.max()) + 1)
    net = ts.SparseMLP(sizes, epsilon=task.epsilon, activation=ts.AllReLU(0.6), seed=seed, threads=threads)
    net.scaling = fit_scaling("standard", as_matrix(X))
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(0.01, 0.9, weight_decay=2e-4),
        evolution=ts.SET(0.3, fresh="init"),
        batch_size=task.batch_size,
        dropout=task.dropout,
        seed=seed,
    )
    trainer.fit(X, y, epochs=epochs)
    return net


def network(folder: Path, task: Task, seed: int, epochs: int, train: Callable[[], ts.SparseMLP]) -> ts.SparseMLP:
    """The trained network of a seed, from the folder where it is there."""
    path = folder / f"{task.name}_{epochs}_epochs_seed_{seed}.ts"
    if not path.exists():
        began = time.perf_counter()
        ts.save(train(), path)
        print(f"{path}: trained in {time.perf_counter() - began:.0f} s", flush=True)
    return ts.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fashion_mnist.npz")
    parser.add_argument("--models", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=FASHION.epochs, help="of Fashion-MNIST")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.models.mkdir(parents=True, exist_ok=True)
    for task, data, epochs in (
        (DIGITS, digits(), DIGITS.epochs),
        (FASHION, fashion(options.data), options.epochs),
    ):
        X, y, X_test, y_test = data
        for seed in range(options.seeds):
            net = network(
                options.models, task, seed, epochs, lambda: trained(task, X, y, seed, epochs, options.threads)
            )
            print(task.name, seed, net.n_connections, ts.evaluate(net, X_test, y_test)["accuracy"], flush=True)


if __name__ == "__main__":
    main()
