"""Time of each evolution rule and of importance pruning from 10^5 to 10^8 connections, four per neuron.

Also the peak memory of a SET step as a multiple of the layer's own. Each size has its own process.
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
from trulysparse.evolution import LayerView, grow, prune
from trulysparse.evolution.rewire import Change, draw_fresh, rewire
from trulysparse.nn.activations import ReLU
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.optim import OptimizerState
from trulysparse.pruning import prune_neurons

BATCH = 8
FRACTION = 0.3


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


def measure(connections: int, threads: int) -> dict:
    n = connections // 4
    before = resident_mb()
    con = erdos_renyi(n, n, 2.0, seed=0, threads=threads)
    dtype = np.dtype(np.float32)
    init = WeightInit(fan="sparse")
    scale = init.scale(con, ReLU().kernel(1))
    weights = np.empty(con.n_connections, dtype)
    init.fill(weights, con, scale, 1, threads)
    layer = IndexedLayer(con, weights, zeros(n, dtype), ReLU().kernel(1))
    optimizer_state = OptimizerState([zeros(con.n_connections, dtype)], [zeros(n, dtype)])
    own = layer_bytes(con, 4, 1)
    del con, weights
    view = LayerView(layer, optimizer_state, 0, FRACTION, 5, threads)
    result: dict = {
        "connections": layer.n_connections,
        "own_mb": own / 2**20,
        "seconds": {},
        "built_mb": resident_mb() - before,
    }

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        result["seconds"][name] = min(seconds, result["seconds"].get(name, seconds))

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
        "grow: uniform": lambda: grow.uniform(view),
        "grow: guided gradient": lambda: grow.GuidedGradient()(view),
        "grow: active": lambda: grow.Active()(view),
    }
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
parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
given = parser.parse_args()
if given.one:
    print(json.dumps(measure(given.one, given.threads)))
    sys.exit()
results = []
for size in given.sizes.split(","):
    command = [sys.executable, str(Path(__file__).resolve()), "--threads", str(given.threads), "--one", size]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    results.append(json.loads(done.stdout.splitlines()[-1]))
keep("evolution_scale", given.threads, results)
names = list(results[0]["seconds"])
table(
    f"Seconds, {given.threads} threads, 4 connections per neuron, 30 % replaced",
    ["rule", *(f"{r['connections']:,}" for r in results)],
    [[name, *(f"{r['seconds'][name]:.3f}" for r in results)] for name in names]
    + [["SET: peak memory / layer's own", *(f"{r['peak_mb'] / r['own_mb']:.2f}" for r in results)]],
)
plot(
    RESULTS / "evolution_scale.png",
    x="connections",
    y="seconds",
    lines={name: ([r["connections"] for r in results], [r["seconds"][name] for r in results]) for name in names},
    title=f"Evolution rules, {given.threads} threads",
)
