"""Evolution of a layer of a million connections with AdamW's state: time of one evolution, beside a training step, and
whether every value went with its connection.

    python benchmarks/torch/evolution.py --threads 1
"""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from _run import keep, options

import trulysparse as ts
from trulysparse.bench.report import table

N_IN, N_OUT, CONNECTIONS, SAMPLES = 4000, 5000, 1_000_000, 128
METHODS = {
    "SET": ts.SET(0.3, every_updates=1),
    "RigL": ts.RigL(0.3, every_updates=1, until=1000),
    "GSE": ts.GSE(0.3, every_updates=1, until=1000),
    "CHTs": ts.CHTs(0.3, every_updates=1, until=1000, percolate=False),
}


def resident_peak(reset: bool = True) -> int:
    """Most memory that this process has held, in bytes; reset: since now."""
    if reset:
        ctypes.CDLL(None).malloc_trim(0)  # or what is free, but kept, would be taken for what is used
        Path("/proc/self/clear_refs").write_text("5")
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def codes(layer: ts.torch.SparseLinear) -> np.ndarray:
    """A number for each connection's place."""
    rows = layer.connectivity.by_input
    return np.repeat(np.arange(N_IN, dtype=np.int64), np.diff(rows.ptr)) * N_OUT + rows.index


def moved_exactly(layer: ts.torch.SparseLinear, optimizer: torch.optim.Optimizer, evolver: ts.torch.Evolver) -> bool:
    """Numbers weights and state by place, evolves, and looks whether all are where their places are, new ones zero."""
    tensors = {name: value for name, value in optimizer.state[layer.weight].items() if value.dim()}
    before = codes(layer)
    numbers = np.random.default_rng(0).permutation(len(before)).astype(np.float32) + 1  # exact below 2^24
    with torch.no_grad():
        for shift, tensor in enumerate([layer.weight, *tensors.values()]):
            tensor.copy_(torch.from_numpy(np.roll(numbers, shift)))
    evolver.evolve()
    after = codes(layer)
    old = np.isin(after, before, assume_unique=True)
    place = np.searchsorted(before, after[old])
    lost = len(before) - len(place)
    exact = lost > 0
    for shift, (name, tensor) in enumerate({"weight": layer.weight, **tensors}.items()):
        values = tensor.detach().numpy()
        kept = values[old] == np.roll(numbers, shift)[place]
        # Of 'weight' new connections are drawn; one that grew where it was removed starts anew.
        exact &= bool((kept | (values[old] == 0 if name != "weight" else ~kept)).all()) and kept.mean() > 0.95
        exact &= name == "weight" or bool((values[~old] == 0).all())
    return bool(exact)


def measure(name: str, method: ts.Evolution) -> dict:
    """Median times of evolutions and of steps, in ms, and memory on top, in bytes a connection."""
    torch.manual_seed(0)
    layer = ts.torch.SparseLinear(N_IN, N_OUT, density=CONNECTIONS / (N_IN * N_OUT), seed=0)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3)
    evolver = ts.torch.Evolver(layer, optimizer, method)
    spent: list[float] = []
    evolve = evolver._evolve

    def timed() -> int:
        began = time.perf_counter()
        added = evolve()
        spent.append(time.perf_counter() - began)
        return added

    evolver._evolve = timed  # type: ignore[method-assign]
    x = torch.randn(SAMPLES, N_IN)
    steps = []
    while sum(spent) < given.seconds or len(spent) < 5:
        began, so_far = time.perf_counter(), sum(spent)
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()
        steps.append(time.perf_counter() - began - (sum(spent) - so_far))
    optimizer.zero_grad()
    layer(x).square().mean().backward()
    before = resident_peak()
    optimizer.step()
    peak = resident_peak(reset=False) - before
    return {
        "method": name,
        "evolution_ms": 1000 * median(spent[1:]),
        "step_ms": 1000 * median(steps[1:]),
        "evolutions": len(spent),
        "replaced_each": evolver.replaced // len(spent),
        "peak_bytes_a_connection": peak / len(layer.weight),
        "moved_exactly": moved_exactly(layer, optimizer, evolver) if not method.needs_gradient else None,
    }


given = options(__doc__, name="torch_evolution")
torch.set_num_threads(given.threads)
results = [measure(name, method) for name, method in METHODS.items()]
table(
    f"{CONNECTIONS:,} connections, {N_IN} x {N_OUT}, AdamW, batch {SAMPLES}, {given.threads} threads",
    ["method", "evolution, ms", "step, ms", "replaced", "bytes a connection", "moved exactly"],
    [
        [
            r["method"],
            f"{r['evolution_ms']:.1f}",
            f"{r['step_ms']:.1f}",
            f"{r['replaced_each']:,}",
            f"{r['peak_bytes_a_connection']:.0f}",
            {True: "yes", False: "NO", None: "-"}[r["moved_exactly"]],
        ]
        for r in results
    ],
)
keep(given.name, given.threads, results)
