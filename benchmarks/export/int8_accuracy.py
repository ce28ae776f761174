"""What eight bits cost: test accuracy and bytes of exported networks, float32 beside int8, after full training.

Fashion-MNIST in 784-1000-1000-1000-10 with 125,680 connections, with the settings of `benchmarks/importance.py` and the
500 epochs of the paper that they are from; digits in 64-100-100-10 with 4,640, with settings chosen on a fifth of its
training samples. Activations are calibrated on training samples. Nothing is chosen by test samples.

    python benchmarks/export/int8_accuracy.py fashion_mnist.npz --models FOLDER

FOLDER keeps the trained networks; one that is there already is not trained again. int8 is computed by the NumPy
reference, which tests compare with the C code bit for bit. Bytes are those of the arrays in the C file; beside them the
code for a Cortex-M4F, where there is a compiler for it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parents[1]))
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.export.calibration import calibrate
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.int8_reference import Int8Reference
from trulysparse.export.quantize import quantize

M4F = "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -std=c99 -Os -c"


@dataclass(frozen=True)
class Task:
    """A data set and how it is trained on."""

    name: str
    hidden: tuple[int, ...]
    epsilon: float
    epochs: int
    batch_size: int
    dropout: float
    learning_rate: float
    evolution: ts.SET


FASHION = Task("fashion", (1000, 1000, 1000), 20, 500, 128, 0.3, 0.01, ts.SET(0.3, fresh="init"))
DIGITS = Task("digits", (100, 100), 10, 200, 32, 0.1, 0.03, ts.SET(0.3))


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
        optimizer=ts.SGD(task.learning_rate, 0.9, weight_decay=2e-4),
        evolution=task.evolution,
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


def measured(net: ts.SparseMLP, data: tuple[np.ndarray, ...], seed: int) -> dict[str, Any]:
    """Accuracies and bytes of a trained network."""
    X, _, X_test, y_test = data
    network = DeviceNetwork.of(net)
    reference = Int8Reference(quantize(network, calibrate(network, X)))
    predicted = {
        "float32": net.freeze().predict(X_test),
        "int8": np.concatenate([reference.predict(X_test[at : at + 1000]) for at in range(0, len(X_test), 1000)]),
    }
    row: dict[str, Any] = {"seed": seed, "connections": net.n_connections}
    row["equal_predictions"] = float(np.mean(predicted["float32"] == predicted["int8"]))
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("float32", "int8"):
            samples = X if weights == "int8" else None
            size = ts.export.c(net, Path(folder) / f"{weights}.c", weights, "delta8", samples)
            row[weights] = {
                "accuracy": float(np.mean(predicted[weights] == y_test)),
                "flash": size.flash,
                "ram": size.ram,
                "code": code_bytes(Path(folder) / f"{weights}.c", size.flash),
            }
    row["points_lost"] = 100 * (row["float32"]["accuracy"] - row["int8"]["accuracy"])
    return row


def code_bytes(source: Path, constants: int) -> int | None:
    """Bytes of code that a Cortex-M4F has beside the constants; None without a compiler for it."""
    if shutil.which("arm-none-eabi-gcc") is None:
        return None
    made = source.with_suffix(".o")
    subprocess.run(["arm-none-eabi-gcc", *M4F.split(), str(source), "-o", str(made)], check=True)
    sizes = subprocess.run(["arm-none-eabi-size", str(made)], check=True, capture_output=True, text=True).stdout
    text, data = sizes.splitlines()[1].split()[:2]
    return int(text) + int(data) - constants


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fashion_mnist.npz")
    parser.add_argument("--models", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=FASHION.epochs, help="of Fashion-MNIST")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.models.mkdir(parents=True, exist_ok=True)
    results = []
    for task, data, epochs in ((DIGITS, digits(), DIGITS.epochs), (FASHION, fashion(options.data), options.epochs)):
        for seed in range(options.seeds):

            def train(task: Task = task, data: tuple[np.ndarray, ...] = data, epochs: int = epochs) -> ts.SparseMLP:
                return trained(task, *data[:2], seed, epochs, options.threads)  # noqa: B023  # called at once

            net = network(options.models, task, seed, epochs, train)
            results.append({"task": task.name, "epochs": epochs, **measured(net, data, seed)})
            print(results[-1], flush=True)
    keep("export_int8_accuracy", options.threads, results)
    rows = []
    for name in (DIGITS.name, FASHION.name):
        some = [row for row in results if row["task"] == name]
        lost = [row["points_lost"] for row in some]
        for weights in ("float32", "int8"):
            accuracy = [100 * row[weights]["accuracy"] for row in some]
            first = some[0][weights]
            rows.append(
                [
                    f"{name}, {some[0]['connections']:,} connections, {weights}",
                    f"{np.mean(accuracy):.2f} ± {np.std(accuracy, ddof=len(some) > 1):.2f}",
                    f"{np.mean(lost):.2f} (at most {max(lost):.2f})" if weights == "int8" else "",
                    *(first[what] for what in ("flash", "code", "ram")),
                ]
            )
    table(f"{options.seeds} seeds", ["network", "accuracy, %", "points lost", "flash", "code, M4F", "RAM"], rows)


if __name__ == "__main__":
    main()
