"""WASAP-SGD's phase 1 with up to 1,000 workers in virtual time: speed, bottlenecks, and the effect of staleness.

    python benchmarks/parallel_simulator.py fashion_mnist.npz

The algorithm is the library's own (Server, Worker). Each gradient is computed on the weights that its worker would have
seen, at the time it would have arrived. Only time is simulated: a worker's step and the server's update take what was
measured here, messages pay latency and queue for the server's link (one per direction), and the server applies one
gradient at a time. The network of 10^8 connections is simulated without learning; its step takes the time in
results/scaling.json on one thread.
"""

from __future__ import annotations

import argparse
import heapq
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _run import RESULTS, keep

import trulysparse as ts
from trulysparse.bench.report import plot, table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.server import Server
from trulysparse.parallel.shards import BatchId, Shard, shard_rows
from trulysparse.parallel.worker import ModelSnapshot, Worker, worker_options
from trulysparse.training.fit_data import FitData

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
BATCH = 128
KINDS = ("momentum", "divide", "ignore")  # of what is done about stale gradients


@dataclass(frozen=True)
class World:
    """Seconds per step and update, bytes per message, seconds of latency, bytes per second.

    servers: the model is cut into that many equal parts.
    """

    step: float
    update: float
    message: float
    latency: float = 1e-4
    bandwidth: float = 1.25e9  # 10 Gbit/s
    servers: int = 1


@dataclass
class Outcome:
    """Result of a run."""

    seconds: float
    updates: int
    staleness: float
    busy: dict[str, float]  # share of the time that each part of the server was working


class Queue:
    """A resource that serves one request after the other."""

    def __init__(self) -> None:
        self.free = self.worked = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """The time at which a request that comes now is done."""
        self.free = max(self.free, now) + seconds
        self.worked += seconds
        return self.free


def play(world: World, workers: int, fetch: Callable[[int], bool | None], apply: Callable[[int], None]) -> Outcome:
    """Runs the events in order of time.

    fetch(worker) sends it the model and returns True; False: nothing is left to do; None: nothing until the next
    update. apply(worker) applies its gradient.
    """
    out, into, processor = Queue(), Queue(), Queue()
    transfer = world.message / world.bandwidth / world.servers
    events: list[tuple[float, int, int, str]] = [(0.0, number, number, "send") for number in range(workers)]
    count, now, n_updates, staleness = workers, 0.0, 0, 0
    seen: dict[int, int] = {}
    waiting: list[int] = []
    while events:
        now, _, worker, what = heapq.heappop(events)
        if what == "send":
            sent = fetch(worker)
            if sent is None:
                waiting.append(worker)
            if not sent:
                continue
            seen[worker] = n_updates
            arrived = out.serve(now, transfer) + world.latency
            after = arrived + world.step + world.latency, "arrive"
        elif what == "arrive":
            after = into.serve(now, transfer), "received"
        elif what == "received":
            after = processor.serve(now, world.update / world.servers), "applied"
        else:
            staleness += n_updates - seen[worker]
            n_updates += 1
            apply(worker)
            after = now, "send"
            for other in waiting:
                count += 1
                heapq.heappush(events, (now, count, other, "send"))
            waiting = []
        count += 1
        heapq.heappush(events, (after[0], count, worker, after[1]))
    busy = {"sending": out.worked / now, "receiving": into.worked / now, "updating": processor.worked / now}
    return Outcome(now, n_updates, staleness / max(1, n_updates), busy)


class Learning:
    """The library's server and workers, called by the simulation."""

    def __init__(self, data: tuple[np.ndarray, ...], workers: int, epochs: int, config: ts.WASAP) -> None:
        X, y, self._X_test, self._y_test = data
        net = ts.SparseMLP((784, 1000, 1000, 1000, 10), epsilon=20, activation=ts.AllReLU(0.6), seed=0)
        net.scaling = fit_scaling("standard", as_matrix(X))
        self.trainer = ts.Trainer(
            net,
            optimizer=ts.SGD(0.01, 0.9, weight_decay=2e-4),
            evolution=ts.SET(0.3),
            batch_size=BATCH,
            dropout=0.3,
            seed=0,
        )
        self.trainer.epochs = epochs
        fit_data = FitData.checked(net, self.trainer.loss, X, y, epochs=epochs)
        self.options = worker_options(self.trainer, config)
        shards = {k: Shard(k, shard_rows(len(X), k, workers, BATCH), BATCH, 0, True) for k in range(workers)}
        batches = [shard.n_batches for shard in shards.values()]
        self.server = Server(self.trainer, config, batches, (0, epochs), epochs, lambda _: None, lambda _: None)
        for number in range(workers):
            self.server.join(number)
        self._worker = Worker(0, net, fit_data, shards, self.options, fit_data.matrix)
        self._given: dict[int, tuple[BatchId, ModelSnapshot]] = {}

    def fetch(self, worker: int) -> bool | None:
        given = self.server.pull(worker, wait=False)
        if given is None:
            return None if self.server.n_updates < self.server.total else False
        batch_id, model = given
        layers = [
            IndexedLayer(layer.connectivity, values, bias, layer.activation)
            for layer, (values, bias) in zip(model.layers, self.server.snapshot(worker, batch_id, model), strict=True)
        ]
        self._given[worker] = batch_id, ModelSnapshot(model.version, model.n_updates, layers)
        return True

    def gradient(self, worker: int) -> Gradient:
        batch_id, model = self._given.pop(worker)
        self._worker._version = -1  # one Worker plays them all, so it must not reuse what it has of an older model
        return self._worker.gradient(model, batch_id)

    def apply(self, worker: int) -> None:
        self.server.push(worker, self.gradient(worker))

    def accuracy(self) -> float:
        return ts.evaluate(self.trainer.net, self._X_test, self._y_test)["accuracy"]


def measure(data: tuple[np.ndarray, ...]) -> World:
    """A worker's step and the server's update here, on one thread: medians."""
    learning = Learning(data, 1, 1, ts.WASAP(1))
    steps, updates = [], []
    for _ in range(300):
        if not learning.fetch(0):
            break
        began = time.perf_counter()
        gradient = learning.gradient(0)
        middle = time.perf_counter()
        learning.server.push(0, gradient)
        steps.append(middle - began)
        updates.append(time.perf_counter() - middle)
    return World(float(np.median(steps)), float(np.median(updates)), 4.0 * learning.trainer.net.n_connections)


def two_threads(data: tuple[np.ndarray, ...]) -> float:
    """Samples per second of two workers as threads of this process, in phase 1: the median of five epochs."""
    learning = Learning(data, 1, 5, ts.WASAP(1))
    trainer = learning.trainer
    trainer.parallel = ts.WASAP(2, phase2_epochs=0)
    history = trainer.fit(data[0], data[1], epochs=5)
    return float(np.median(history["samples_per_second"]))


class NoLearning:
    """A given number of updates, without learning."""

    def __init__(self, updates: int) -> None:
        self._pending = updates

    def fetch(self, worker: int) -> bool:
        self._pending -= 1
        return self._pending >= 0

    def apply(self, worker: int) -> None:
        pass


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path, help="fashion_mnist.npz")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--workers", default=",".join(map(str, WORKERS)))
parser.add_argument("--validation", type=int, default=0, help="samples to measure on that are held out of the training")
parser.add_argument("--learning", action="store_true", help="learning alone, with the times in results/")
given = parser.parse_args()
with np.load(given.data) as file:
    data = tuple(file[key] for key in ("X_train", "y_train", "X_test", "y_test"))
if given.validation:
    order = np.random.default_rng(123).permutation(len(data[0]))
    held_out, rest = order[: given.validation], order[given.validation :]
    data = data[0][rest], data[1][rest], data[0][held_out], data[1][held_out]
if given.learning:
    earlier = json.loads((RESULTS / "parallel_simulator.json").read_text())["results"]
    small, measured = World(**earlier["small"]), earlier["two_threads"]
else:
    # One after the other, three times: the machine's speed changes within minutes.
    rounds = [(measure(data), two_threads(data)) for _ in range(3)]
    small = sorted((world for world, _ in rounds), key=lambda world: world.step + world.update)[1]
    measured = float(np.median([samples for _, samples in rounds]))
print(f"step {small.step * 1e3:.3f} ms, update {small.update * 1e3:.3f} ms")
scaling = json.loads((RESULTS / "scaling.json").read_text())["results"]["rows"][-1]
large_step = scaling["ms"]["1 thread(s)"] / 1e3
# An update reads gradient, weight and momentum and writes two of them: 20 bytes per connection from memory.
large = World(large_step, small.update * scaling["connections"] / (small.message / 4), 4.0 * scaling["connections"])

results: dict = {"small": vars(small), "large": vars(large), "rows": [], "two_threads": measured}
for workers in map(int, given.workers.split(",")):
    row: dict = {"workers": workers}
    for staleness in KINDS:
        learning = Learning(data, workers, given.epochs, ts.WASAP(workers, staleness=staleness))
        try:
            played = play(small, workers, learning.fetch, learning.apply)
            row[staleness] = learning.accuracy()
            row["staleness"] = played.staleness
        except ts.DivergenceError:
            row[staleness] = None
    for name, world in (("small", small), ("large", large)):
        for servers in (1, 8):
            no_learning = NoLearning(20 * workers + 200)
            outcome = play(replace(world, servers=servers), workers, no_learning.fetch, no_learning.apply)
            row[f"{name} {servers}"] = {
                "samples_per_second": BATCH * outcome.updates / outcome.seconds,
                "staleness": outcome.staleness,
                "busy": outcome.busy,
            }
    # The same workers as threads of one process: no messages, and each applies its own gradients.
    row["threads"] = workers * BATCH / (small.step + small.update)
    results["rows"].append(row)
    print(row, flush=True)
if not given.validation:
    keep("parallel_simulator", 1, results)


def shown(accuracy: float | None) -> str:
    return "diverges" if accuracy is None else f"{100 * accuracy:.2f}"


for name, label in (("small", "784-1000-1000-1000-10"), ("large", "10^8 connections")):
    table(
        f"{label}: samples per second with a server behind 10 Gbit/s",
        ["workers", "one server", "staleness", "sending", "updating", "eight servers"]
        + (list(KINDS) if name == "small" else []),
        [
            [
                str(row["workers"]),
                f"{row[f'{name} 1']['samples_per_second']:,.0f}",
                f"{row[f'{name} 1']['staleness']:.1f}",
                f"{row[f'{name} 1']['busy']['sending']:.0%}",
                f"{row[f'{name} 1']['busy']['updating']:.0%}",
                f"{row[f'{name} 8']['samples_per_second']:,.0f}",
            ]
            + ([shown(row[staleness]) for staleness in KINDS] if name == "small" else [])
            for row in results["rows"]
        ],
    )
predicted = next(row["threads"] for row in results["rows"] if row["workers"] == 2)
print(f"two workers as threads: predicted {predicted:,.0f} samples per second, measured {measured:,.0f}")
plot(
    RESULTS / "parallel_simulator.png",
    x="workers",
    y="samples per second",
    lines={
        f"{label}, {servers} server{'s' * (servers > 1)}": (
            [row["workers"] for row in results["rows"]],
            [row[f"{name} {servers}"]["samples_per_second"] for row in results["rows"]],
        )
        for name, label in (("small", "126 thousand connections"), ("large", "100 million"))
        for servers in (1, 8)
    },
    title="WASAP phase 1 in virtual time, 10 Gbit/s, 0.1 ms",
)
