"""Forward and fused backward kernels against this machine's limits.

A small C++ library measures the limits in turn with the kernels, round by round: random gather of as many rows of the
same size, multiply-adds in registers, stream copy.
"""

from __future__ import annotations

import time

import numpy as np
from _ceilings import Ceilings
from _run import keep, options

from trulysparse import _kernels
from trulysparse._core.arrays import zeros
from trulysparse.bench.report import table
from trulysparse.connectivity import erdos_renyi
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState

BATCH, TURN = 128, 0.2
LEFT_RELU = _kernels.Activation.LEAKY, -0.6
# neurons per side, connections per neuron
LAYERS = ((4096, 409.6), (4096, 40.96), (1_000_000, 2), (1_000_000, 20))


def typical(call) -> float:
    """Median seconds of calls that fill a turn, after one to warm up."""
    call()
    times: list[float] = []
    while sum(times) < TURN:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def passes(n: int, fan: float, threads: int):
    """(connections, forward, backward with update) of a layer n x n, as training calls them: the gradient at the input
    overwrites the input."""
    con = erdos_renyi(n, n, fan / 2, seed=0)
    rng = np.random.default_rng(0)
    dtype = np.dtype(np.float32)
    layer = IndexedLayer(con, zeros(con.n_connections, dtype), zeros(n, dtype), LEFT_RELU)
    layer.values[:] = rng.standard_normal(con.n_connections) / np.sqrt(fan)
    x, y = (zeros(n * BATCH, dtype).reshape(n, BATCH) for _ in range(2))
    x[:] = rng.standard_normal(BATCH, dtype=np.float32)
    bits = [np.zeros(n * BATCH // 8, np.uint8) for _ in range(2)]
    source, out = Activations(x, LEFT_RELU, bits[0]), Activations(y, LEFT_RELU, bits[1])
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.momentum = _kernels.Update.SGD, 1e-9, 0.9
    optimizer_state = OptimizerState([zeros(con.n_connections, dtype)], [np.zeros(n, dtype)])
    layer.forward(source, out, 0, threads)
    return {
        "connections": con.n_connections,
        "forward": lambda: layer.forward(source, out, 0, threads),
        "backward": lambda: layer.backward(y, source, x, optimizer_state, rule, threads),
    }


given = options(__doc__)
limits = Ceilings(given.threads)
results = []
for n, fan in LAYERS:
    layer = passes(n, fan, given.threads)
    connections = layer["connections"]
    row_bytes = connections * BATCH * 4
    # Arrays that pass once, where they do not stay in a cache: forward writes its output; backward reads the input and
    # overwrites it with its gradient.
    near = n * BATCH * 4 < 32 << 20
    rounds: dict[str, list[list[float]]] = {"forward": [], "backward": []}
    with limits.gather(n, BATCH) as gather:
        began = time.perf_counter()
        while len(rounds["forward"]) < 5 or time.perf_counter() - began < given.seconds:
            for name, of_rows in rounds.items():
                gbs, gflops, copy = gather.gbs(), limits.fma_gflops(), limits.copy_gbs()
                passing = 0 if near else n * BATCH * 4 * (1 if name == "forward" else 2)
                memory = row_bytes / gbs / 1e9 + passing / copy / 1e9
                compute = connections * BATCH * (2 if name == "forward" else 4) / gflops / 1e9
                of_rows.append([typical(layer[name]), memory, compute, gbs, gflops, copy])
    for name, of_rows in rounds.items():
        seconds, memory, compute, gbs, gflops, copy = np.transpose(of_rows)
        floor = np.maximum(memory, compute)
        results.append(
            {
                "neurons": n,
                "connections": connections,
                "kernel": name,
                "rounds": len(of_rows),
                "ms": float(np.median(seconds)) * 1e3,
                "floor_ms": float(np.median(floor)) * 1e3,
                "binds": "gather" if np.median(memory) >= np.median(compute) else "multiply-adds",
                "achieved": float(np.median(floor / seconds)),
                "achieved_quartiles": [float(q) for q in np.percentile(floor / seconds, (25, 75))],
                "gbs": float(np.median(row_bytes / seconds)) / 1e9,
                "gather_gbs": float(np.median(gbs)),
                "fma_gflops": float(np.median(gflops)),
                "copy_gbs": float(np.median(copy)),
            }
        )
    del layer
table(
    f"Batch {BATCH}, {given.threads} threads, medians over rounds in which ceilings and kernels take turns",
    ["layer", "connections", "kernel", "ms", "floor, ms", "bound by", "rows, GB/s", "ceiling, GB/s", "achieved"],
    [
        [
            f"{r['neurons']:,} wide",
            f"{r['connections']:,}",
            r["kernel"],
            r["ms"],
            r["floor_ms"],
            r["binds"],
            r["gbs"],
            r["gather_gbs"],
            f"{r['achieved']:.0%}",
        ]
        for r in results
    ],
)
keep("kernel_efficiency", given.threads, results)
