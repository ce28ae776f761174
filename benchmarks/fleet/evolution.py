"""Milliseconds of one evolution of a fleet beside a loop of Evolver, and of one exchange of models beside SciPy.

    python benchmarks/fleet/evolution.py                      # 1,000 and 10,000 agents of 600 connections
    python benchmarks/fleet/evolution.py --agents 146 1022

Agents are networks of 24-32-32-2 neurons with 612 connections and Adam's state. Contenders take turns on the same
thread; milliseconds are those of the processor, the median over turns, after one turn whose results are compared bit
for bit. An evolution of RigL looks at 64 samples of each agent's own; its time is that without the backward pass. An
exchange is a union of four agents' models, pruned back; beside it are SciPy's sums of CSR matrices, agent by agent.
Results go to benchmarks/results/fleet_evolution.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.bench.report import machine, save_json, table
from trulysparse.nn.fleet.exchange import average_over_owners, message_bytes
from trulysparse.nn.fleet.neighbours import random_neighbours

RESULTS = Path(__file__).parents[1] / "results"
SIZES, DENSITY, BATCH = (24, 32, 32, 2), 0.33, 64
METHODS: dict[str, Callable[[], ts.Evolution]] = {
    "SET": lambda: ts.SET(0.3, every_updates=1),
    "RigL": lambda: ts.RigL(0.3, every_updates=1, until=10**6),
}


def new_fleet(n_agents: int) -> tuple[Any, list[Any]]:
    fleet = ts.Fleet(n_agents, SIZES, density=DENSITY, output="identity", seed=0, threads=1)
    return fleet, [layer.new_state(ts.Adam()) for layer in fleet.layers]


def batch_of(layer: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    return tuple(rng.standard_normal((n, BATCH), dtype=np.float32) for n in (layer.n_in, layer.n_out))


def milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def evolutions(name: str, n_agents: int, turns: int) -> dict[str, Any]:
    """A fleet and the networks that it consists of, evolved side by side."""
    fleet, states = new_fleet(n_agents)
    nets = list(fleet)
    own = [[layer.new_state(ts.Adam()) for layer in net.layers] for net in nets]
    method = METHODS[name]()
    together = ts.FleetEvolver(method, fleet, states)
    alone = [ts.Evolver(method, net, state, seed=net.seed, threads=1) for net, state in zip(nets, own, strict=True)]
    rng = np.random.default_rng(0)
    batches = {number: batch_of(layer, rng) for number, layer in enumerate(fleet.layers)}

    def evolve_fleet() -> None:
        step = together.start()
        for number in step.layers:
            step.evolve_layer(number, *batches[number])

    def evolve_loop() -> None:
        for agent, evolver in enumerate(alone):
            step = evolver.start()
            for number, view in step.views.items():
                x, dy = batches[number]
                a, b = view.layer.n_in, view.layer.n_out
                step.evolve_layer(number, x[agent * a : (agent + 1) * a], dy[agent * b : (agent + 1) * b])

    times: dict[str, list[float]] = {"fleet": [], "loop": []}
    for turn in range(turns + 1):
        for evolver in (together, *alone):
            evolver.step_done()
        taken = {"fleet": milliseconds(evolve_fleet), "loop": milliseconds(evolve_loop)}
        if turn:
            for kind, value in taken.items():
                times[kind].append(value)
    for agent, net in enumerate(nets):
        for ours, theirs in zip(fleet[agent].layers, net.layers, strict=True):
            assert (ours.values == theirs.values).all()
            assert (ours.connectivity.by_input.index == theirs.connectivity.by_input.index).all()
    found = {kind: float(np.median(values)) for kind, values in times.items()}
    return {"what": f"evolution, {name}", "agents": n_agents, "connections": fleet.n_connections, **found}


def exchanges(n_agents: int, turns: int) -> dict[str, Any]:
    """Models of three random neighbours averaged over the owners of each connection, and pruned back."""
    fleet, states = new_fleet(n_agents)
    times: dict[str, list[float]] = {"fleet": [], "loop": []}
    for turn in range(turns + 1):
        neighbours = random_neighbours(n_agents, 3, seed=0, count=turn)
        nets = list(fleet)
        expected: list[Any] = []

        def by_scipy(nets: list[Any] = nets, neighbours: Any = neighbours, out: list[Any] = expected) -> None:
            out += [averaged(nets, agent, neighbours[agent]) for agent in range(n_agents)]

        def by_fleet(neighbours: Any = neighbours) -> None:
            average_over_owners(fleet, neighbours, values="float32", optimizer_state=states)

        taken = {"loop": milliseconds(by_scipy), "fleet": milliseconds(by_fleet)}
        if turn:
            for kind, value in taken.items():
                times[kind].append(value)
        for agent in range(0, n_agents, max(1, n_agents // 50)):
            for ours, theirs in zip(fleet[agent].layers, expected[agent], strict=True):
                np.testing.assert_allclose(ours.weight.toarray(), theirs.toarray(), rtol=1e-5, atol=1e-6)
    found = {kind: float(np.median(values)) for kind, values in times.items()}
    return {
        "what": "exchange with 3 neighbours",
        "agents": n_agents,
        "connections": fleet.n_connections,
        **found,
        "bytes": int(message_bytes(fleet)[0]),
    }


def averaged(nets: list[Any], agent: int, neighbours: Any) -> list[sp.csr_array]:
    """The layers of one agent after an exchange, by SciPy."""
    made = []
    for number, layer in enumerate(nets[agent].layers):
        weights = [nets[each].layers[number].weight for each in (agent, *neighbours)]
        owners = [sp.csr_array((np.ones_like(w.data), w.indices, w.indptr), shape=w.shape) for w in weights]
        total, count = sum(weights[1:], weights[0]), sum(owners[1:], owners[0])
        total = total.multiply(count.power(-1)).tocsr()  # sums that are 0 are not stored
        total.data[np.argsort(np.abs(total.data))[: total.nnz - layer.n_connections]] = 0
        total.eliminate_zeros()
        made.append(total)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--turns", type=int, default=9)
    args = parser.parse_args()
    rows = []
    for n_agents in args.agents:
        turns = max(3, args.turns * 1000 // max(1000, n_agents))
        rows += [evolutions(name, n_agents, turns) for name in METHODS]
        rows.append(exchanges(n_agents, turns))
    for row in rows:
        row["ratio"] = row["loop"] / row["fleet"]
    save_json(RESULTS / "fleet_evolution.json", {"machine": machine(1), "results": rows})
    table(
        "One thread, processor milliseconds",
        ["", "agents", "connections", "fleet", "loop", "times faster"],
        [
            [r["what"], *(f"{r[name]:,.0f}" for name in ("agents", "connections", "fleet", "loop", "ratio"))]
            for r in rows
        ],
    )


if __name__ == "__main__":
    main()
