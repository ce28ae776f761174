"""Reconstruction of rows that were not seen, by sparse and by dense autoencoders at equal epochs.

Features have mean 0 and deviation 1 on the training rows. All networks are n-1000-n (the small dense one has as many
connections as the sparse ones), denoising with noise 0.2, in batches of 100. But for the two rows of fixed settings,
the rate of Adam is the best of seven on a fifth of the training rows (of Fashion-MNIST: of 12,000) held out; test
rows are looked at once. Seconds are of the processor on one thread, MB beyond data and imports, both of one fit at the
chosen rate and the reconstruction of the test rows.

    python benchmarks/unsupervised/autoencoder.py --data FOLDER      (coil20.npz, fashion_mnist.npz)
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _data import Split, load
from _measure import Made, measured
from _results import keep, read

import trulysparse as ts
from trulysparse.bench.report import table

RUNS = (("coil20", 10), ("coil20", 100), ("fashion_mnist", 5), ("fashion_mnist", 50))
RATES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
HIDDEN, BATCH, NOISE = 1000, 100, 0.2
MOST_ROWS = 12_000
MODELS = (
    "SparseAutoencoder()",
    "settings of QuickSelection",
    "sparse, rate chosen",
    "sparse, no evolution",
    "dense, same sizes",
    "dense, as many connections",
)
FIXED = MODELS[:2]


def sparse(X: np.ndarray, epochs: int, seed: int, **settings: Any) -> Any:
    """A fitted SparseAutoencoder, on data that is scaled already."""
    model = ts.SparseAutoencoder(epochs=epochs, scale="none", n_jobs=1, random_state=seed, **settings)
    return model.fit(X)


def quickselection() -> dict[str, Any]:
    """The published settings; their squared error is half of ours, so is our rate."""
    return {
        "activation": "sigmoid",
        "init": "normal",
        "optimizer": ts.SGD(0.005, 0.9, weight_decay=1e-5, weight_decay_mode="direct"),
        "dropout": 0.2,
        "redraw": False,
        "evolution": ts.SET(0.2, fresh="init", output_layer=True),
    }


def n_connections(n: int) -> int:
    return 2 * round(ts.SparseAutoencoder().epsilon * (n + HIDDEN))


class Dense:
    """The same in torch: Adam, rectifiers, noise drawn anew, the sum of squared errors."""

    def __init__(self, X: np.ndarray, epochs: int, seed: int, hidden: int, rate: float) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        n = X.shape[1]
        layers = torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n)
        self.net = torch.nn.Sequential(*layers)
        optimizer = torch.optim.Adam(self.net.parameters(), lr=rate)
        rows = torch.from_numpy(X)
        for _ in range(epochs):
            for part in torch.randperm(len(rows)).split(BATCH):
                x = rows[part]
                loss = (self.net(x + NOISE * torch.randn_like(x)) - x).square().sum(dim=1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            return np.concatenate([self.net(part).numpy() for part in torch.from_numpy(X).split(1000)])


def fitted(model: str, X: np.ndarray, epochs: int, seed: int, rate: float) -> Any:
    """One of the models."""
    if model == "SparseAutoencoder()":
        return sparse(X, epochs, seed)
    if model == "settings of QuickSelection":
        return sparse(X, epochs, seed, **quickselection())
    if model == "sparse, rate chosen":
        return sparse(X, epochs, seed, learning_rate=rate)
    if model == "sparse, no evolution":
        return sparse(X, epochs, seed, learning_rate=rate, evolution=None)
    hidden = HIDDEN if model == "dense, same sizes" else round(n_connections(X.shape[1]) / (2 * X.shape[1]))
    return Dense(X, epochs, seed, hidden, rate)


def error(model: Any, X: np.ndarray) -> float:
    return float(np.square(model.reconstruct(X) - X).mean())


def best_rate(model: str, split: Split, epochs: int) -> float:
    """The rate with the smallest error on training rows that are held out."""
    rows = np.random.default_rng(0).permutation(len(split.X_train))[:MOST_ROWS]
    held_out, rest = split.X_train[rows[: len(rows) // 5]], split.X_train[rows[len(rows) // 5 :]]
    found = [error(fitted(model, rest, epochs, 0, rate), held_out) for rate in RATES]
    return RATES[int(np.nanargmin(found))]


def fit_and_score(model: str, split: Split, epochs: int, seed: int, rate: float) -> float:
    """The error on the test rows."""
    return error(fitted(model, split.X_train, epochs, seed, rate), split.X_test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.npz")
    parser.add_argument("--sets", nargs="+", default=["coil20", "fashion_mnist"])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument(
        "--epochs", type=int, nargs="+", default=[5, 10, 100], help="50, of Fashion-MNIST, must be asked for"
    )
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    for name, epochs in [run for run in RUNS if run[0] in given.sets and run[1] in given.epochs]:
        for model in given.models:
            data = Made(load, given.data, name, "standard")
            imports = ("torch",) if model.startswith("dense") else ()
            rate = RATES[0]
            if model not in FIXED:
                rate = measured(best_rate, model, data, epochs, imports=imports).result
            for seed in range(given.seeds):
                run = measured(fit_and_score, model, data, epochs, seed, rate, imports=imports)
                row = {"set": name, "epochs": epochs, "model": model, "seed": seed, "mse": run.result}
                row |= {"rate": None if model in FIXED else rate, "seconds": run.seconds, "peak_mb": run.peak_mb}
                keep("autoencoder", row, ("set", "epochs", "model", "seed"))
    show()


def show() -> None:
    """The table of all that was measured."""
    rows = []
    for name, epochs in RUNS:
        for model in MODELS:
            runs = [r for r in read("autoencoder") if (r["set"], r["epochs"], r["model"]) == (name, epochs, model)]
            if runs:
                mse = [run["mse"] for run in runs]
                seconds, mb = (float(np.median([run[key] for run in runs])) for key in ("seconds", "peak_mb"))
                error = f"{np.mean(mse):.4f} ± {np.std(mse):.4f}"
                rows.append((f"{name}, {epochs} epochs", model, error, runs[0]["rate"] or "", seconds, mb, len(runs)))
    columns = ("data", "model", "error on test rows", "rate", "seconds", "MB", "seeds")
    table("Squared error per feature, of standardised features", columns, rows)


if __name__ == "__main__":
    main()
