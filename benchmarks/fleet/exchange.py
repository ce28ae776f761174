"""What exchange of models gives agents that have few samples each: test loss alone and with neighbours.

    python benchmarks/fleet/exchange.py

50 agents learn y = f(x) + g_i(x) + noise from 40 samples each: f, two thirds of the variance, is common, g_i is the
agent's own. Networks of 8-32-32-1 neurons with 30 % of the connections, SET every 50 updates, Adam. After every 50
updates models are exchanged, in bfloat16, and 49 updates after the last of 20 exchanges the loss is taken on 2,000
samples of each agent without noise, as a share of the variance. Agents start each from its own network, or all from the
same one. Mean and standard deviation over five seeds. Results go to benchmarks/results/fleet_exchange.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import trulysparse as ts
from trulysparse.bench.report import machine, save_json, table
from trulysparse.nn.fleet.exchange import average_over_owners
from trulysparse.nn.fleet.neighbours import random_neighbours

RESULTS = Path(__file__).parents[1] / "results"
AGENTS, SAMPLES, UPDATES, EVERY, SEEDS = 50, 40, 1049, 50, 5
SIZES, DENSITY = (8, 32, 32, 1), 0.3
RUNS: dict[str, dict[str, Any]] = {
    "no exchange": {},
    "3 random neighbours, own connections": {"topology": "own"},
    "all, own connections": {"topology": "own", "neighbours": "all"},
    "3 random neighbours, union": {"topology": "union"},
    "all, union": {"topology": "union", "neighbours": "all"},
}


def task(seed: int) -> tuple[Any, Any, Any, Any]:
    """Samples and test samples of each agent."""
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((8, 3)), rng.standard_normal((AGENTS, 8, 3))

    def value(X: Any) -> Any:
        f, g = (np.tanh(inner / 2) for inner in (X @ common, np.einsum("ani,aij->anj", X, own)))
        return np.sqrt(2) * f.sum(axis=2) / f.sum(axis=2).std() + g.sum(axis=2) / g.sum(axis=2).std()

    X, X_test = rng.standard_normal((AGENTS, SAMPLES, 8)), rng.standard_normal((AGENTS, 2000, 8))
    y = value(X)
    return X, y + 0.1 * rng.standard_normal(y.shape), X_test, value(X_test)


def loss_of(seed: int, *, common: bool, neighbours: str | None = None, topology: str | None = None) -> float:
    X, y, X_test, y_test = task(seed)
    fleet = ts.Fleet(AGENTS, SIZES, density=DENSITY, activation="relu", output="identity", seed=seed, threads=1)
    if common:
        seeds = fleet.seeds
        fleet = fleet[[0]].repeat(AGENTS)
        fleet.seeds = seeds  # topologies evolve each in its own way
    trainer = ts.FleetTrainer(fleet, optimizer=ts.Adam(0.003), evolution=ts.SET(0.2, every_updates=50))
    for update in range(UPDATES):
        trainer.step(X, y[:, :, None])
        if topology and (update + 1) % EVERY == 0:
            others: Any = neighbours or random_neighbours(AGENTS, 3, seed=seed, count=update)
            average_over_owners(fleet, others, topology=topology, optimizer_state=trainer.optimizer_state)
    return float(((fleet.predict(X_test)[:, :, 0] - y_test) ** 2).mean() / y_test.var())


def main() -> None:
    rows = []
    for name, settings in RUNS.items():
        row: dict[str, Any] = {"run": name}
        for start in ("own", "common"):
            row[start] = [loss_of(seed, common=start == "common", **settings) for seed in range(SEEDS)]
        rows.append(row)
    save_json(RESULTS / "fleet_exchange.json", {"machine": machine(1), "results": rows})
    table(
        "Test loss, share of the variance",
        ["", "own starts", "common start"],
        [
            [r["run"], *(f"{np.mean(r[start]):.3f} ± {np.std(r[start]):.3f}" for start in ("own", "common"))]
            for r in rows
        ],
    )


if __name__ == "__main__":
    main()
