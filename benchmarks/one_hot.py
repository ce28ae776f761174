"""A text column with 100,000 values, one-hot encoded and trained on: processor seconds and peak memory of each part.

Each value has an effect of its own on the target. Half of the training rows have each value once; the others, and the
test rows, draw values by Zipf's law. The accuracy without the column tells what the network learned of it. Logistic
regression, on the same sparse array, has the form of the target itself.

    python benchmarks/one_hot.py
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _run import keep
from sklearn.linear_model import LogisticRegression

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling


def tables(values: int, rows: int, test: int, numbers: int = 8) -> tuple[pd.DataFrame, np.ndarray]:
    """`rows` training rows, then `test` others: numbers, a text, and whether something happened."""
    rng = np.random.default_rng(0)
    zipf = 1 / np.arange(1, values + 1)
    drawn = rng.choice(values, rows + test - values, p=zipf / zipf.sum())
    text = np.concatenate([rng.permutation(values), drawn])
    X = rng.normal(size=(rows + test, numbers))
    logit = X @ rng.normal(0, 0.5, numbers) + rng.normal(0, 2, values)[text]
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(numbers)])
    names = pd.array([f"customer {i:06d}" for i in range(values)], dtype="str")
    return frame.assign(customer=names.take(text)), (rng.random(rows + test) < 1 / (1 + np.exp(-logit))).astype(int)


def network(n_features: int, epochs: int, X: Any, y: np.ndarray, scaled: np.ndarray) -> ts.SparseMLP:
    net = ts.SparseMLP(
        (n_features, 128, 2), epsilon=given.epsilon, activation=ts.ReLU(), fan="sparse", threads=given.threads
    )
    net.scaling = fit_scaling("standard", as_matrix(X), scaled=scaled)
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.003), evolution=ts.SET(0.3), batch_size=given.batch)
    trainer.fit(X, y, epochs=epochs)
    return net


class Parts:
    """Processor seconds of each part, and the process's peak memory at its end, beyond that of the imports."""

    def __init__(self) -> None:
        self.imports, self.rows = peak_mb(), []

    def measure(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        self.rows.append({"part": name, "seconds": time.process_time() - began, "peak_mb": peak_mb() - self.imports})
        return result


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--values", type=int, default=100_000)
parser.add_argument("--epsilon", type=float, default=4.0)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--threads", type=int, default=1, help="1: processor time does not depend on other work")
parser.add_argument("--quick", action="store_true", help="2,000 values, and nothing is written")
given = parser.parse_args()
values = 2000 if given.quick else given.values
parts, n_train = Parts(), 2 * values
frame, y = parts.measure("make the table", lambda: tables(values, n_train, values // 2))
train, test = frame.iloc[:n_train], frame.iloc[n_train:]
preprocessor = ts.TablePreprocessor(max_categories=None)
parts.measure("fit the preprocessing", lambda: preprocessor.fit(train))
X = parts.measure("transform training rows", lambda: preprocessor.transform(train))
net = parts.measure(
    f"train, {given.epochs} epochs",
    lambda: network(X.shape[1], given.epochs, X, y[:n_train], preprocessor.scaled_),
)
scores = {
    "with the column": parts.measure(
        "test", lambda: ts.evaluate(net, preprocessor.transform(test), y[n_train:])["accuracy"]
    )
}
numbers = frame.drop(columns="customer").to_numpy()
plain = network(numbers.shape[1], given.epochs, numbers[:n_train], y[:n_train], np.ones(numbers.shape[1], bool))
scores["without it"] = ts.evaluate(plain, numbers[n_train:], y[n_train:])["accuracy"]
linear = parts.measure("logistic regression", lambda: LogisticRegression(max_iter=1000).fit(X, y[:n_train]))
scores["of logistic regression"] = float(linear.score(preprocessor.transform(test), y[n_train:]))
result = {
    "rows": n_train,
    "features": X.shape[1],
    "connections": net.n_connections,
    "epsilon": given.epsilon,
    "batch": given.batch,
    "epochs": given.epochs,
    "csr_mb": (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20,
    "dense_mb": X.shape[0] * X.shape[1] * 4 / 2**20,
    "imports_mb": parts.imports,
    "parts": parts.rows,
    "accuracy": scores,
}
if not given.quick:
    keep("one_hot", given.threads, result)
table(
    f"{n_train:,} rows x {X.shape[1]:,} features ({result['csr_mb']:,.0f} MB as CSR, {result['dense_mb']:,.0f} MB as a "
    f"dense array), {net.n_connections:,} connections, {given.threads} threads",
    ["part", "processor seconds", "peak, MB"],
    [[part["part"], f"{part['seconds']:.2f}", f"{part['peak_mb']:,.0f}"] for part in parts.rows],
)
print("test accuracy: " + ", ".join(f"{value:.3f} {name}" for name, value in scores.items()))
