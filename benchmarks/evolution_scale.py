"""Time of each evolution rule and of importance pruning from 10^5 to 10^8 connections, four per neuron.

Also the peak memory of a SET step and of a CHTs step as a multiple of the layers' own. Each size has its own process.
A CHTs step evolves two layers of half as many connections each: soft removal, percolation, growth along paths.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _run import RESULTS, keep

from trulysparse import _kernels
from trulysparse._core.arrays import zeros
from trulysparse.bench.report import plot, table
from trulysparse.connectivity import Connectivity, erdos_renyi
from trulysparse.evolution import CHTs, LayerView, grow, prune
from trulysparse.evolution.local_community import LocalCommunity
from trulysparse.evolution.rewire import Change, draw_fresh, rewire
from trulysparse.evolution.similarity import CosineSimilarity
from trulysparse.evolution.soft import soft
from trulysparse.nn.activations import ReLU
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.optim import OptimizerState
from trulysparse.pruning import prune_neurons

BATCH = 8
FRACTION = 0.3
POWER = 3.0  # of soft removal, at the end of a training
MOST_MULTIPLY_ADDS = 1e12  # of rules that look at all coordinates; they are left out of larger layers


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class Peak:
    """The highest resident memory within the block, sampled every 5 ms."""

    def __enter__(self) -> Peak:
        self.mb, self._on = resident_mb(), True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while self._on:
            self.mb = max(self.mb, resident_mb())
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._on = False
        self._thread.join()


def layer_bytes(con: Connectivity, itemsize: int, n_slots: int) -> int:
    index = sum(a.nbytes for rows in (con.by_input, con.by_output) for a in (rows.ptr, rows.index))
    return index + con.position.nbytes + con.n_connections * itemsize * (1 + n_slots)


def make_layer(n: int, degree: int, seed: int, threads: int) -> tuple[IndexedLayer, OptimizerState]:
    """n inputs, n outputs, `degree` connections for each, with momentum."""
    con = erdos_renyi(n, n, degree / 2, seed=seed, threads=threads)
    dtype, init, activation = np.dtype(np.float32), WeightInit(fan="sparse"), ReLU().kernel(1)
    weights = np.empty(con.n_connections, dtype)
    init.fill(weights, con, init.scale(con, activation), seed + 1, threads)
    optimizer_state = OptimizerState([zeros(con.n_connections, dtype)], [zeros(n, dtype)])
    return IndexedLayer(con, weights, zeros(n, dtype), activation), optimizer_state


def measure_chts(connections: int, degree: int, threads: int) -> dict:
    """A CHTs step of two layers with so many connections together."""
    before = resident_mb()
    made = [make_layer(connections // 2 // degree, degree, seed, threads) for seed in range(2)]
    layers, states = [layer for layer, _ in made], [state for _, state in made]
    del made
    own = sum(layer_bytes(layer.connectivity, 4, 1) for layer in layers)
    method = CHTs(FRACTION)
    seconds, cpu = [], []
    with Peak() as peak:
        for key in range(3):
            began, began_cpu = time.perf_counter(), time.process_time()
            method.evolve(layers, states, key, threads)
            seconds.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
    return {
        "seconds": {"CHTs step, first": seconds[0], "CHTs step": min(seconds[1:])},
        "cpu_seconds": {"CHTs step, first": cpu[0], "CHTs step": min(cpu[1:])},
        "chts_peak": (peak.mb - before) * 2**20 / own,
    }


def measure(connections: int, degree: int, threads: int) -> dict:
    n = connections // degree
    before = resident_mb()
    layer, optimizer_state = make_layer(n, degree, 0, threads)
    own = layer_bytes(layer.connectivity, 4, 1)
    dtype, init = np.dtype(np.float32), WeightInit(fan="sparse")
    view = LayerView(layer, optimizer_state, 0, FRACTION, 5, threads)
    result: dict = {
        "connections": layer.n_connections,
        "own_mb": own / 2**20,
        "seconds": {},
        "cpu_seconds": {},
        "built_mb": resident_mb() - before,
    }

    def timed(name: str, work: Callable[[], object]) -> None:
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
        for kind, seconds in taken.items():
            result[kind][name] = min(seconds, result[kind].get(name, seconds))

    def set_step() -> None:
        view.keep_mask = prune.sign_magnitude(view)
        view.count = view.removed
        change = Change(view.keep_mask, grow.uniform(view))
        view.keep_mask = None
        change.new_weights = draw_fresh(layer, change, init, 3, threads)
        rewire(layer, optimizer_state, change, threads)

    # The first step may also wait for new pages; training takes many steps.
    with Peak() as peak:
        timed("SET step, first", set_step)
        for _ in range(3):
            timed("SET step", set_step)
    result["peak_mb"] = peak.mb - before

    # Rules one by one; those with gradients on a batch of 8.
    stride = int(_kernels.padded_batch(BATCH))
    view.x, view.dy = (zeros(n * stride, dtype).reshape(n, stride) for _ in range(2))
    for values in (view.x, view.dy):
        values[:] = np.random.default_rng(0).standard_normal(stride, dtype=np.float32)
    rules: dict[str, Callable[[], object]] = {
        "prune: sign magnitude": lambda: prune.sign_magnitude(view),
        "prune: magnitude": lambda: prune.magnitude(view),
        "prune: global magnitude": lambda: prune.GlobalMagnitude().across([view]),
        "prune: random": lambda: prune.random(view),
        "prune: magnitude + gradient": lambda: prune.MagnitudeAndGradient()(view),
        "prune: sign flip": lambda: prune.SignFlip(0, 0)(view),
        "prune: threshold": lambda: prune.AdaptiveThreshold().across([view]),
        "prune: soft": lambda: soft(view, POWER),
        "prune: soft, relative": lambda: soft(view, POWER, relative=True),
        "grow: uniform": lambda: grow.uniform(view),
        "grow: guided gradient": lambda: grow.GuidedGradient()(view),
        "grow: active": lambda: grow.Active()(view),
        "grow: along paths": lambda: LocalCommunity()(view),
    }
    if n * n * stride <= MOST_MULTIPLY_ADDS:
        rules["grow: largest gradient"] = lambda: grow.LargestGradient()(view)
        rules["grow: cosine"] = lambda: CosineSimilarity()(view)
    view.keep_mask = prune.magnitude(view)
    view.count = view.removed
    for name, rule in rules.items():
        timed(name, rule)
        gc.collect()
    view.x = view.dy = view.keep_mask = None

    other = erdos_renyi(n, 2, 0.5, seed=1, threads=threads)
    net = SparseMLP.from_layers(
        [layer.connectivity, other],
        [layer.values, zeros(other.n_connections, dtype)],
        [layer.bias, zeros(2, dtype)],
        NetworkSettings(epsilon=2.0, activation="relu", init=init, threads=threads),
    )
    state = [optimizer_state, OptimizerState([zeros(other.n_connections, dtype)], [zeros(2, dtype)])]
    timed("importance pruning", lambda: prune_neurons(net, 20, optimizer_state=state))
    return result


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--sizes", default="100000,1000000,10000000,100000000")
parser.add_argument("--degree", type=int, default=4, help="connections per neuron")
parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
parser.add_argument("--chts", type=int, help=argparse.SUPPRESS)
given = parser.parse_args()
if given.one:
    print(json.dumps(measure(given.one, given.degree, given.threads)))
    sys.exit()
if given.chts:
    print(json.dumps(measure_chts(given.chts, given.degree, given.threads)))
    sys.exit()


def run(part: str, size: str) -> dict:
    """A part of the measurements, in a process of its own."""
    options = ["--threads", str(given.threads), "--degree", str(given.degree), part, size]
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


results = []
for size in given.sizes.split(","):
    result, chts = run("--one", size), run("--chts", size)
    for kind in ("seconds", "cpu_seconds"):
        result[kind] |= chts[kind]
    results.append(result | {"chts_peak": chts["chts_peak"]})
file = "evolution_scale" if given.degree == 4 else f"evolution_scale_{given.degree}"
keep(file, given.threads, results)
names = list(results[0]["seconds"])
for kind, title in (("seconds", "Seconds"), ("cpu_seconds", "Processor seconds")):
    table(
        f"{title}, {given.threads} threads, {given.degree} connections per neuron, 30 % replaced",
        ["rule", *(f"{r['connections']:,}" for r in results)],
        [[name, *(f"{r[kind][name]:.3f}" if name in r[kind] else "-" for r in results)] for name in names]
        + [["SET: peak memory / layer's own", *(f"{r['peak_mb'] / r['own_mb']:.2f}" for r in results)]]
        + [["CHTs: peak memory / layers' own", *(f"{r['chts_peak']:.2f}" for r in results)]],
    )
lines = {name: [(r["connections"], r["seconds"][name]) for r in results if name in r["seconds"]] for name in names}
plot(
    RESULTS / f"{file}.png",
    x="connections",
    y="seconds",
    lines={name: ([x for x, _ in points], [y for _, y in points]) for name, points in lines.items()},
    title=f"Evolution rules, {given.threads} threads",
)
