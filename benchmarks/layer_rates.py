"""The best learning rate by density, with one rate and with SµPar: 784-1000x3-10, ReLU, weights scaled by each
neuron's inputs, Adam along a cosine, 3 epochs of 20,000 training samples, accuracy on 10,000 others of them.

    python benchmarks/layer_rates.py fashion_mnist.npz --seeds 3
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table

DENSITIES = (0.3, 0.1, 0.03, 0.01, 0.003)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
TRAIN, HELD_OUT = 20_000, 10_000


def accuracy(X: np.ndarray, y: np.ndarray, density: float, rate: float, layer_rates: str | None, seed: int) -> float:
    """Of one training; 0 where it diverged."""
    net = ts.SparseMLP(
        (X.shape[1], 1000, 1000, 1000, 10), density=density, activation="relu", fan="sparse", seed=seed, threads=1
    )
    optimizer = ts.Adam(ts.CosineRate(rate))
    trainer = ts.Trainer(net, optimizer=optimizer, layer_rates=layer_rates, batch_size=128, seed=seed)
    try:
        trainer.fit(X[:TRAIN], y[:TRAIN], epochs=3)
    except ts.DivergenceError:
        return 0.0
    return float((net.predict(X[-HELD_OUT:]) == y[-HELD_OUT:]).mean())


def best_rate(found: dict[float, float]) -> float:
    """The rate of the top of a parabola through the best point and its neighbours, on a logarithmic scale."""
    rates = sorted(found)
    at = max(range(len(rates)), key=lambda i: found[rates[i]])
    if at in (0, len(rates) - 1):
        return rates[at]
    x = np.log10(rates[at - 1 : at + 2])
    a, b, _ = np.polyfit(x, [found[rate] for rate in rates[at - 1 : at + 2]], 2)
    return float(10 ** (-b / (2 * a)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="an .npz file with X_train and y_train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--densities", default=",".join(map(str, DENSITIES)))
    given = parser.parse_args()
    with np.load(given.data) as file:
        X, y = file["X_train"], file["y_train"]
    X = X.reshape(len(X), -1).astype(np.float32)
    X = (X - X.mean()) / X.std()
    results, rows = [], []
    for density in map(float, given.densities.split(",")):
        for layer_rates in (None, "supar"):
            found = {}
            for rate in RATES:
                each = [accuracy(X, y, density, rate, layer_rates, seed) for seed in range(given.seeds)]
                found[rate] = statistics.fmean(each)
                results.append({"density": density, "layer_rates": layer_rates, "rate": rate, "accuracy": each})
            row = [f"{density:.1%}", layer_rates or "one rate", *(f"{100 * found[rate]:.1f}" for rate in RATES)]
            rows.append([*row, f"{best_rate(found):.2g}"])
            print(*rows[-1], sep=" | ", flush=True)
    table("Held-out accuracy by Adam's rate", ["density", "layers", *map(str, RATES), "best rate"], rows)
    keep("layer_rates", 1, results)


if __name__ == "__main__":
    main()
