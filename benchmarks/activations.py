"""Time of a hidden layer by activation: those built in, and one that a user writes, relative to All-ReLU.

Forward, and backward with update, of one layer of the Fashion-MNIST network. Activations come in turns; medians of
each turn's ratio.
"""

from __future__ import annotations

import time

import numpy as np
from _run import keep, options

from trulysparse import _kernels
from trulysparse._core.arrays import zeros
from trulysparse.bench.report import table
from trulysparse.connectivity import erdos_renyi
from trulysparse.nn.activations import NAMES, Activation, make_activation, needs_pre_activation, needs_sign, on_layer
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState

N, EPSILON, BATCH = 1000, 20, 128
CALLS = 20  # per turn


class Softsign:
    """As a user writes it."""

    name = "softsign, in Python"

    def forward(self, z):
        return z / (1 + np.abs(z))

    def derivative(self, z):
        return 1 / (1 + np.abs(z)) ** 2


def passes(activation: Activation, threads: int):
    """Forward and backward of a layer between two hidden layers, both with that activation."""
    con = erdos_renyi(N, N, EPSILON, seed=0)
    rng, dtype = np.random.default_rng(0), np.dtype(np.float32)
    kind = on_layer(activation, 1)
    layer = IndexedLayer(con, zeros(con.n_connections, dtype), zeros(N, dtype), kind)
    layer.values[:] = rng.standard_normal(con.n_connections) / 5

    def signal() -> Activations:
        bits = np.zeros(N * BATCH // 8, np.uint8) if needs_sign(kind) else None
        values, pre = (zeros(N * BATCH, dtype).reshape(N, BATCH) for _ in range(2))
        return Activations(values, kind, bits, pre_activation=pre if needs_pre_activation(kind) else None)

    x, y = signal(), signal()
    x.values[:] = rng.standard_normal((N, BATCH), dtype=np.float32)
    if x.pre_activation is not None:
        x.pre_activation[:] = x.values
    dx, dy = np.empty_like(x.values), zeros(N * BATCH, dtype).reshape(N, BATCH)
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.momentum = _kernels.Update.SGD, 1e-9, 0.9
    state = OptimizerState([zeros(con.n_connections, dtype)], [np.zeros(N, dtype)])
    return (
        lambda: layer.forward(x, y, 0, threads),
        lambda: layer.backward(dy, x, dx, state, rule, threads),
    )


def seconds(call) -> float:
    """Mean seconds of a turn's calls."""
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS


given = options(__doc__)
names = (*NAMES, Softsign.name)
calls = {name: passes(make_activation(name if name in NAMES else Softsign()), given.threads) for name in names}
turns: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
began = time.perf_counter()
while time.perf_counter() - began < given.seconds * len(names):
    for name, (forward, backward) in calls.items():
        turns[name].append((seconds(forward), seconds(backward)))
base = np.array(turns["all_relu"])
rows = []
for name in names:
    times = np.array(turns[name])
    ratios = np.median(times / base, axis=0)
    rows.append(
        {
            "activation": name,
            "forward": float(ratios[0]),
            "backward": float(ratios[1]),
            "both": float(np.median(times.sum(axis=1) / base.sum(axis=1))),
            "both_us": float(np.median(times.sum(axis=1))) * 1e6,
        }
    )
table(
    f"Layer {N} x {N}, epsilon {EPSILON}, batch {BATCH}, {given.threads} threads: time relative to all_relu",
    ["activation", "forward", "backward", "both", "both, us"],
    [
        [row["activation"], *(f"{row[part]:.2f}" for part in ("forward", "backward", "both")), f"{row['both_us']:.0f}"]
        for row in rows
    ],
)
keep("activations", given.threads, rows)
