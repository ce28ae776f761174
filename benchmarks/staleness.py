"""Why stale gradients make training diverge: the curvature that a step can bear, and that of a network.

    python benchmarks/staleness.py fashion_mnist.npz

The first table: the largest curvature (second derivative) for which gradients of a fixed staleness converge, from the
roots of the recursion's characteristic polynomial, at rate 0.01 and momentum 0.9. The second: the largest eigenvalue of
the Hessian of the loss in the course of training, by power iteration on differences of gradients, and the share of its
eigenvector that lies in the biases.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.parallel.server.staleness import FULL_RATE, shares
from trulysparse.training.fit_data import FitData
from trulysparse.training.passes import BatchPasses

RATE, MOMENTUM = 0.01, 0.9
STALENESS = (0, 1, 3, 7, 15, 31, 63)
SAMPLES = 3000  # on which the Hessian is measured
AFTER = (0, 16, 55, 211, 601)  # updates


def largest_curvature(momentum: float, share: float, staleness: int, bound: float = 1.0) -> float:
    """For (z - 1) w = -h z^-s (share (1 - m) / (1 - m/z) + 1 - share) w, where h is RATE / (1 - MOMENTUM) times bound
    times the curvature: the largest curvature that keeps all roots z inside the unit circle."""
    step = bound * RATE / (1 - MOMENTUM)
    gain = step * np.array([share * (1 - momentum) + 1 - share, -(1 - share) * momentum])
    memory = np.polymul(np.polymul([1.0, -1.0], [1.0, -momentum]), [1.0] + [0.0] * staleness)
    low, high = 0.0, 1000.0
    for _ in range(50):
        middle = (low + high) / 2
        stable = np.abs(np.roots(np.polyadd(memory, middle * gain))).max() < 1
        low, high = (middle, high) if stable else (low, middle)
    return low


def sharpness(net: ts.SparseMLP, X: np.ndarray, y: np.ndarray, biased: bool) -> tuple[float, float]:
    """(largest eigenvalue of the Hessian, share of its eigenvector in the biases); biased: whether they count."""
    loss = ts.Trainer(net).loss
    data = FitData.checked(net, loss, X, y, epochs=1)
    passes = BatchPasses(net, threads=1, loss=loss)
    batch = data.batch(np.arange(len(X)), data.matrix)
    parameters = [(layer.values, True) for layer in net.layers] + [(layer.bias, biased) for layer in net.layers]
    start = [values.copy() for values, _ in parameters]

    def gradient() -> list[np.ndarray]:
        _, pairs = passes.gradients(batch, 0)
        return [weight.astype(np.float64) for weight, _ in pairs] + [bias.astype(np.float64) for _, bias in pairs]

    random = np.random.default_rng(0)
    direction = [random.standard_normal(values.size) for values, _ in parameters]
    value = 0.0
    for _ in range(25):
        direction = [part * counts for part, (_, counts) in zip(direction, parameters, strict=True)]
        length = np.sqrt(sum(np.square(part).sum() for part in direction))
        ends = []
        for way in (1e-2, -1e-2):
            for (values, _), first, part in zip(parameters, start, direction, strict=True):
                values[:] = first + way / length * part
            ends.append(gradient())
        product = [(a - b) / 2e-2 for a, b in zip(*ends, strict=True)]
        value = float(sum(np.dot(a, b) for a, b in zip(product, direction, strict=True)) / length)
        direction = product
    for (values, _), first in zip(parameters, start, strict=True):
        values[:] = first
    squares = [np.square(part).sum() for part in direction]
    return value, float(sum(squares[len(net.layers) :]) / sum(squares))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path, help="fashion_mnist.npz")
given = parser.parse_args()
with np.load(given.data) as file:
    X, y = file["X_train"], file["y_train"]
limits = [
    [
        s,
        largest_curvature(MOMENTUM, 1.0, s),
        largest_curvature(0.0, 1.0, s),
        largest_curvature(*shares(MOMENTUM, s), s, min(1.0, (FULL_RATE + 1) / (s + 1))),
    ]
    for s in STALENESS
]
table(
    f"largest curvature, rate {RATE}, momentum {MOMENTUM}",
    ["staleness", "momentum as asked for", "none, rate / (1 - momentum)", "WASAP"],
    [[str(s), *(f"{value:.2f}" for value in values)] for s, *values in limits],
)
net = ts.SparseMLP((784, 1000, 1000, 1000, 10), epsilon=20, activation=ts.AllReLU(0.6), seed=0, threads=1)
net.scaling = fit_scaling("standard", as_matrix(X))
trainer = ts.Trainer(net, optimizer=ts.SGD(RATE, MOMENTUM, weight_decay=2e-4), batch_size=128, dropout=0.3, seed=0)
rows, random = [], np.random.default_rng(0)
for updates in AFTER:
    while trainer.step_count < updates:
        batch = random.integers(0, len(X), 128)
        trainer.step(X[batch], y[batch])
    all_, weights = (sharpness(net, X[:SAMPLES], y[:SAMPLES], biased) for biased in (True, False))
    rows.append([updates, *all_, weights[0]])
    print(rows[-1], flush=True)
table(
    "largest eigenvalue of the Hessian",
    ["updates", "all parameters", "share in the biases", "weights alone"],
    [[str(n), f"{value:.2f}", f"{share:.2f}", f"{alone:.2f}"] for n, value, share, alone in rows],
)
keep("staleness", 1, {"limits": limits, "sharpness": rows})
