"""Forward and fused backward kernels against this machine's ceilings, which a small C++ program measures in the
same run: random gather of rows of the same size from memory of the same size, and multiply-adds in registers."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from _run import keep, options

from trulysparse import _kernels
from trulysparse._arrays import zeros
from trulysparse.bench.report import table
from trulysparse.connectivity import erdos_renyi
from trulysparse.layers import Signal, Slots, SparseLayer

BATCH = 128
# neurons a side, connections a neuron
LAYERS = ((4096, 409.6), (4096, 40.96), (1_000_000, 2), (1_000_000, 20))


def ceilings(threads: int) -> dict:
    """Builds and runs the probes."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "probes")
        source = str(Path(__file__).parent / "probes" / "probes.cpp")
        subprocess.run(["c++", "-O3", "-march=native", "-std=gnu++20", "-fopenmp", source, "-o", program], check=True)
        found: dict = json.loads(subprocess.run([program, str(threads)], check=True, capture_output=True).stdout)
    return found


def best(call, seconds: float) -> float:
    """The median of calls that fill `seconds`."""
    times = []
    while sum(times) < seconds or len(times) < 3:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def measure(n: int, fan: float, threads: int, seconds: float) -> tuple[int, float, float]:
    """(connections, seconds forward, seconds backward with update) of a layer n x n."""
    con = erdos_renyi(n, n, fan / 2, seed=0)
    rng = np.random.default_rng(0)
    dtype = np.dtype(np.float32)
    layer = SparseLayer(con, zeros(con.n_connections, dtype), zeros(n, dtype), (1, -0.6))
    layer.values[:] = rng.standard_normal(con.n_connections)
    x, y, dx = (zeros(n * BATCH, dtype).reshape(n, BATCH) for _ in range(3))
    x[:] = rng.standard_normal(BATCH, dtype=np.float32)
    bits = [np.zeros(n * BATCH // 8, np.uint8) for _ in range(2)]
    source, out = Signal(x, (1, -0.6), bits[0]), Signal(y, (1, -0.6), bits[1])
    forward = best(lambda: layer.forward(source, out, 0, threads), seconds)
    rule = _kernels.UpdateRule()
    rule.kind, rule.learning_rate, rule.momentum = 2, 1e-9, 0.9
    slots = Slots([zeros(con.n_connections, dtype)], [np.zeros(n, dtype)])
    backward = best(lambda: layer.backward(y, source, dx, slots, rule, threads), seconds)
    return con.n_connections, forward, backward


given = options(__doc__)
limits = ceilings(given.threads)
results = []
for n, fan in LAYERS:
    connections, forward, backward = measure(n, fan, given.threads, given.seconds)
    set_kib = n * BATCH * 4 / 1024
    gather = min(
        (g for g in limits["gather"] if g["row_bytes"] == BATCH * 4), key=lambda g: abs(np.log(g["set_kib"] / set_kib))
    )
    row_bytes = connections * BATCH * 4
    # Arrays that pass once: the output is written (forward), or the input read and its gradient written (backward).
    passing = {"forward": n * BATCH * 4, "backward": 2 * n * BATCH * 4}
    for name, seconds in (("forward", forward), ("backward", backward)):
        flops = connections * BATCH * (2 if name == "forward" else 4)
        near = set_kib < 32 * 1024
        floor_memory = row_bytes / gather["gbs"] / 1e9 + (0 if near else passing[name] / limits["copy_gbs"] / 1e9)
        floor_compute = flops / limits["fma_gflops"] / 1e9
        floor = max(floor_memory, floor_compute)
        results.append(
            {
                "neurons": n,
                "connections": connections,
                "kernel": name,
                "ms": seconds * 1e3,
                "floor_ms": floor * 1e3,
                "binds": "gather" if floor_memory >= floor_compute else "multiply-adds",
                "achieved": floor / seconds,
                "gbs": row_bytes / seconds / 1e9,
                "gather_gbs": gather["gbs"],
            }
        )
table(
    f"Batch {BATCH}, {given.threads} threads; copy {limits['copy_gbs']} GB/s, {limits['fma_gflops']} GFLOP/s",
    ["layer", "connections", "kernel", "ms", "floor, ms", "bound by", "rows, GB/s", "ceiling, GB/s", "achieved"],
    [
        [
            f"{r['neurons']:,} x {r['neurons']:,}",
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
keep("kernel_efficiency", given.threads, {"ceilings": limits, "rows": results})
