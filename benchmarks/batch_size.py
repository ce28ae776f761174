"""Batches of 128 to 4,096 samples: rates of both passes and of a step, beside torch; two networks on one batch."""

from __future__ import annotations

import time

import numpy as np
from _run import keep, options

import trulysparse as ts
from trulysparse.bench import peers
from trulysparse.bench.problems import Problem, preset
from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave
from trulysparse.nn.sinks import Gradients
from trulysparse.nn.tile_pass import TilePass

BATCHES = (128, 512, 1024, 4096)
LAYER = (512, 2048)
DENSITIES = (0.1, 0.05, 0.01)


def networks(threads: int) -> dict[str, ts.SparseMLP]:
    """One layer at each density, and the networks of the authors' experiments."""
    found = {
        f"512 x 2048, density {density}": ts.SparseMLP(LAYER, density=density, output="identity", threads=threads)
        for density in DENSITIES
    }
    for name in ("fashion", "cifar"):
        found[name] = preset(name, 1).copy_of_net(threads)
    return found


class Passes:
    """Both passes of a batch that is laid out, as training runs them: tile by tile in the memory of one tile."""

    def __init__(self, net: ts.SparseMLP, batch: int, threads: int) -> None:
        rng = np.random.default_rng(0)
        self.batch, self.threads = batch, threads
        columns = net.lay_out(rng.standard_normal((batch, net.layer_sizes[0]), dtype=np.float32))
        memory = net.workspace().signals(batch // len(columns.inputs), 1.0)
        self.tiles = [TilePass(net, [x, *memory[1:]]) for x in columns.inputs]
        self.dy = rng.standard_normal(memory[-1].values.shape, dtype=np.float32)
        arrays = [layer.new_gradient() for layer in net.layers]
        self.sinks = [Gradients(arrays, add=number > 0) for number in range(len(self.tiles))]

    def seconds(self) -> tuple[float, float]:
        """Of the forward and of the backward pass."""
        forward = backward = 0.0
        for tile, sink in zip(self.tiles, self.sinks, strict=True):
            began = time.perf_counter()
            tile.forward(0, self.threads)
            between = time.perf_counter()
            tile.backward(self.dy, sink, self.threads)
            forward += between - began
            backward += time.perf_counter() - between
        return forward, backward


def rates(net: ts.SparseMLP, seconds: float, threads: int) -> list[dict[str, float]]:
    """GFLOP/s of the passes at each batch size, all sizes in turn."""
    contenders = [Passes(net, batch, threads) for batch in BATCHES]
    rounds: list[list[tuple[float, float]]] = []
    began = time.perf_counter()
    while len(rounds) < 5 or time.perf_counter() - began < seconds * len(BATCHES):
        of_round = []
        for contender in contenders:
            contender.seconds()
            calls = [contender.seconds() for _ in range(max(1, 8 * BATCHES[-1] // contender.batch // 32))]
            of_round.append(tuple(np.median(calls, axis=0) / contender.batch))
        rounds.append(of_round)
    connections = [layer.n_connections for layer in net.layers]
    # The gradient at the network's input is not wanted: the first layer has that of its weights alone.
    work = np.array([2 * sum(connections), 4 * sum(connections) - 2 * connections[0]])
    found = work / np.array(rounds) / 1e9  # rounds x batches x (forward, gradients)
    of_128 = np.median(found / found[:, :1], axis=0)
    medians = np.median(found, axis=0)
    return [
        {
            "batch": batch,
            "forward_gflops": float(medians[number, 0]),
            "gradients_gflops": float(medians[number, 1]),
            "forward_of_128": float(of_128[number, 0]),
            "gradients_of_128": float(of_128[number, 1]),
        }
        for number, batch in enumerate(BATCHES)
    ]


def steps(net: ts.SparseMLP, seconds: float, threads: int, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Time of a whole step per sample at each batch size, and how many times as long the peers take."""
    problems = {batch: Problem.make("", net, batch) for batch in BATCHES}
    ours = {f"{batch}": peers.ours(problem, threads) for batch, problem in problems.items()}
    own = {timing.name: timing for timing in interleave(ours, seconds=seconds)}
    results = []
    for batch in BATCHES:
        per_sample = [second / batch for second in own[f"{batch}"].rounds]
        first = [second / BATCHES[0] for second in own[f"{BATCHES[0]}"].rounds]
        result: dict[str, object] = {
            "batch": batch,
            "ms": own[f"{batch}"].median * 1e3,
            "rate_of_128": float(np.median(np.divide(first, per_sample))),
        }
        if batch in (128, 1024):
            contenders = {"trulysparse": ours[f"{batch}"]}
            contenders |= {name: peers.PEERS[name](problems[batch], threads) for name in names}
            timings = interleave(contenders, seconds=seconds)
            result |= {timing.name: timing.over(timings[0]) for timing in timings[1:]}
        results.append(result)
    return results


def twins(threads: int, seconds: float) -> dict[str, float]:
    """A step of two critics on one batch against that of one: 23-256-256-1, density 0.2, batch 256, Adam."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((256, 23), dtype=np.float32), rng.standard_normal((256, 1), dtype=np.float32)
    optimizer = ts.Adam(1e-3)

    def step_of(count: int):
        nets = [
            ts.SparseMLP((23, 256, 256, 1), density=0.2, activation="relu", output="identity", seed=s, threads=threads)
            for s in range(count)
        ]
        states = [[layer.new_state(optimizer) for layer in net.layers] for net in nets]

        def step() -> None:
            tapes = ts.forward_all(nets, X, training=True)
            errors = [(tape.output - y) * (2 / len(X)) for tape in tapes]
            tapes.backward(errors, states, optimizer.rule(1, 0.0, None))

        return step

    one, two = interleave({"one": step_of(1), "two": step_of(2)}, seconds=seconds)
    return {"one_us": one.median * 1e6, "two_us": two.median * 1e6, "ratio": two.over(one)}


given = options(__doc__)
results: dict[str, object] = {}
rows, step_rows = [], []
for name, net in networks(given.threads).items():
    found = rates(net, given.seconds, given.threads)
    results[name] = {"passes": found}
    rows += [[name, *(r[key] for key in r)] for r in found]
for name in ("fashion", "cifar"):
    net = preset(name, 1).net
    found = steps(net, given.seconds, given.threads, ("torch csr", "torch dense"))
    results.setdefault(name, {})["steps"] = found  # type: ignore[attr-defined]
    step_rows += [[name, *(r.get(key, "") for key in found[0])] for r in found]
results["twin critics"] = twins(given.threads, given.seconds)
table(
    f"Passes, {given.threads} threads: GFLOP/s, and the share of that at batch 128",
    ["network", "batch", "forward", "gradients", "forward / 128", "gradients / 128"],
    rows,
)
table(
    f"A whole step, {given.threads} threads: samples per second against those at batch 128; time of torch's over ours",
    ["network", "batch", "ms", "rate / 128", "torch csr", "torch dense"],
    step_rows,
)
print("two critics on one batch take", f"{results['twin critics']['ratio']:.2f}", "times as long as one")  # type: ignore[index]
keep("batch_size", given.threads, results)
