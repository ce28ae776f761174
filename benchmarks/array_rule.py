"""Time of a training step whose optimizer is written in NumPy arrays, beside the same rule in the kernels.

The Fashion-MNIST network on one thread; all contenders take turns.

    python benchmarks/array_rule.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from _run import keep, options

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave

MOMENTUM, BETA1, BETA2, RATE = 0.9, 0.9, 0.999, 0.001


class MomentumRule:
    learning_rate = RATE

    def update(self, values, gradient, slots, is_bias):
        (velocity,) = slots
        velocity *= MOMENTUM
        gradient *= RATE
        velocity -= gradient
        values += velocity


class AdamRule:
    learning_rate = RATE

    def __init__(self, t: int) -> None:
        self.t = t

    def update(self, values, gradient, slots, is_bias):
        m, v = slots
        m += (1 - BETA1) * (gradient - m)
        v += (1 - BETA2) * (gradient**2 - v)
        values -= RATE / (1 - BETA1**self.t) * m / (np.sqrt(v / (1 - BETA2**self.t)) + 1e-8)


class InArrays:
    def __init__(self, n_slots: int, rule: Callable[[int], object]) -> None:
        self.n_slots = n_slots
        self._rule = rule

    def rule(self, step: int, epoch: float, epochs: int | None):
        return self._rule(step)


def step(optimizer) -> Callable[[], float]:
    net = ts.SparseMLP((784, 1000, 1000, 1000, 10), epsilon=20, activation=ts.AllReLU(0.6), seed=0, threads=1)
    trainer = ts.Trainer(net, optimizer=optimizer, batch_size=len(y))
    return lambda: trainer.step(X, y)


given = options(__doc__)
rng = np.random.default_rng(0)
X, y = rng.standard_normal((128, 784), dtype=np.float32), rng.integers(0, 10, 128)
contenders = {
    "SGD": ts.SGD(RATE, MOMENTUM),
    "SGD in arrays": InArrays(1, lambda step: MomentumRule()),
    "Adam": ts.Adam(RATE, BETA1, BETA2),
    "Adam in arrays": InArrays(2, lambda step: AdamRule(step + 1)),
}
timings = interleave({name: step(optimizer) for name, optimizer in contenders.items()}, seconds=given.seconds)
rows = []
for fused, arrays in zip(timings[::2], timings[1::2], strict=True):
    rows.append({"fused": asdict(fused), "arrays": asdict(arrays), "ratio": arrays.over(fused)})
table(
    "A training step, 784-1000-1000-1000-10, epsilon 20, batch 128, one thread",
    ["rule", "in kernels, ms", "in arrays, ms", "ratio"],
    [
        [
            r["fused"]["name"],
            f"{1e3 * r['fused']['median']:.2f}",
            f"{1e3 * r['arrays']['median']:.2f}",
            f"{r['ratio']:.2f}",
        ]
        for r in rows
    ],
)
keep("array_rule", 1, rows)
