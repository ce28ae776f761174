"""146 homes behind a transformer of 630 kVA: selfish rules, selfish agents, and agents that pay for the grid's limits.

    python benchmarks/grid/vorstadt.py --data FOLDER

Homes are resampled from FOLDER (CityLearn's 2022 layout), each with a battery of its own, under the time-of-use tariff.
Every home has an agent with its own sparse network. One shared network learns first, from all homes; each home then
goes on from a copy of it, alone, with weights and a topology of its own. Selfish agents learn for their bill alone.
Careful ones also pay the penalties of a feeder whose limits keep a margin (MARGIN, chosen on the training weeks), and
observe their own voltage and the transformer's loading of the last hour. Learning is by evolution strategy on the
training weeks; every fourth week is a test week. What is reported is the real feeder under its real limits.

Runs are kept: `--one "careful 0"` makes one; without it the script makes those that are missing and sums up."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse import grid
from trulysparse.bench.report import machine, save_json, table
from trulysparse.grid.agents import Training
from trulysparse.grid.outcome import Outcome

RESULTS = Path(__file__).parents[1] / "results" / "grid_vorstadt.json"
HOMES = 146
SCENARIO_SEED = 0
NETWORK = {"hidden": (16,), "density": 0.3}
LEARNING = {"candidates": 16, "windows": 3, "window_hours": 168, "deviation": 0.1}
SHARED = {"learning_rate": 0.05, "generations": 80}
OWN = {"learning_rate": 0.03, "generations": 80}
MARGIN = {"loading": 0.5, "band": 0.03}
TOLD = {"broadcast": "feeder"}
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Street:
    """The homes, their feeder, and the hours that are learned from."""

    def __init__(self, data: Path) -> None:
        self.scenario = grid.resample(grid.read_citylearn(data), HOMES, seed=SCENARIO_SEED, battery_factors=(1,))
        self.feeder = grid.Feeder.named("vorstadt")
        self.split = grid.split_of([f"home {i}" for i in range(HOMES)], self.scenario.n_hours, n_train=HOMES)

    def environment(self, **options: Any) -> grid.GridEnvironment:
        """A year of all homes behind the real feeder."""
        return grid.GridEnvironment(self.scenario, feeder=self.feeder, **options)

    def training(self, seed: int, settings: dict[str, Any], shared: bool, environment: dict[str, Any]) -> Training:
        """A training by evolution strategy."""
        return Training(
            "es",
            self.scenario,
            self.split,
            environment=environment,
            shared=shared,
            seed=seed,
            settings=LEARNING | settings,
            **NETWORK,
        )

    def figures(self, outcome: Outcome) -> dict[str, Any]:
        """What a year cost and did to the grid: all of it, its training weeks, its test weeks."""
        test = self.split.test_hours
        parts = {"all": np.ones(len(test), bool), "training weeks": ~test, "test weeks": test}
        return {name: self._figures(outcome, hours) for name, hours in parts.items()}

    def _figures(self, outcome: Outcome, hours: np.ndarray) -> dict[str, Any]:
        loading, lowest = outcome.transformer[hours, 0], outcome.voltage[0, hours]
        return {
            "cost": float(outcome.cost(hours=hours)),
            "transformer": float(loading.max()),
            "hours_above_80": int((loading > 0.8).sum()),
            "hours_above_95": int((loading > 0.95).sum()),
            "hours_above_100": int((loading > 1).sum()),
            "lowest_voltage": float(lowest.min()),
            "highest_voltage": float(outcome.voltage[1, hours].max()),
            "hours_below_0.95": int((lowest < 0.95).sum()),
            "line": float(outcome.line[hours].max()),
        }


def rules(street: Street) -> dict[str, Any]:
    """Rules that know no grid, and perfect foresight that knows none either."""
    actors = {
        "no control": grid.NoControl(),
        "self-consumption": grid.SelfConsumption(),
        "fill, all alike": grid.TimeOfUseFill(2),
        "fill, random hours": grid.TimeOfUseFill((2, 6)),
        "fill, capped at 1.5 kW": grid.TimeOfUseFill(5, most_kw=1.5),
        "fill, spread over 4 h": grid.TimeOfUseFill(4, spread=True),
    }
    found = {}
    for name, actor in actors.items():
        outcome = grid.run(street.environment(observe=False), actor)
        if name == "no control":
            bound = grid.perfect_foresight(street.environment(observe=False), no_control=outcome)
        found[name] = street.figures(outcome)
    return found | {"perfect foresight": street.figures(bound)}


def begin_with(training: Training, fleet: Any) -> None:
    """Gives agents that have not learned yet the networks of a fleet."""
    for own, layer in zip(training.method.fleet.layers, fleet.layers, strict=True):
        own.connectivity, own.values, own.bias = layer.connectivity, layer.values, layer.bias
    training.method.strategy.follow_topology()


def one_run(street: Street, seed: int, kind: str, margin: dict[str, float]) -> dict[str, Any]:
    """Trains agents with one seed and lives through the year with them; and with the network that they shared first."""
    begin = time.perf_counter()
    options: dict[str, Any] = {} if kind == "selfish" else {"feeder": street.feeder.limited(**margin), **TOLD}
    told = {} if kind == "selfish" else TOLD
    shared = street.training(seed, SHARED, True, options).run()
    training = street.training(seed, OWN, False, options)
    begin_with(training, shared.method.fleet.repeat(HOMES))
    training.run()
    found: dict[str, Any] = {"seed": seed, "kind": kind}
    for name, agents in {"shared": shared.agents(), "own": training.agents()}.items():
        found[name] = street.figures(grid.run(street.environment(**told), agents, label=name))
        print(kind, seed, name, found[name]["all"], flush=True)
    return found | {
        "margin": None if kind == "selfish" else margin,
        "seconds_shared": shared.seconds,
        "seconds_own": training.seconds,
        "seconds_in_all": time.perf_counter() - begin,
        "connections_per_agent": float(agents.fleet.connections_per_agent.mean()),
        "replaced": training.log[-1]["replaced"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in CityLearn's 2022 layout")
    parser.add_argument("--runs", type=Path, default=Path("runs/grid/vorstadt"), help="where runs are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", help="makes this run in this process: 'rules', 'selfish 0', 'careful 0' and so on")
    parser.add_argument("--margin", type=float, nargs=2, metavar=("LOADING", "BAND"), help="instead of MARGIN")
    arguments = parser.parse_args()
    if arguments.one is not None:
        street = Street(arguments.data)
        margin = MARGIN if arguments.margin is None else dict(zip(("loading", "band"), arguments.margin, strict=True))
        kind, *seed = arguments.one.split()
        found = one_run(street, int(seed[0]), kind, margin) if seed else rules(street)
        save_json(arguments.runs / f"{arguments.one}.json", found)
        return
    runs = [f"{kind} {seed}" for seed in range(arguments.seeds) for kind in ("selfish", "careful")]
    read = {}
    for name in ("rules", *runs):
        path = arguments.runs / f"{name}.json"
        if not path.is_file():
            command = [sys.executable, __file__, "--data", str(arguments.data), "--runs", str(arguments.runs)]
            subprocess.run([*command, "--one", name], env=os.environ | THREADS, check=True)
        read[name] = json.loads(path.read_text())
    summed_up(read.pop("rules"), read)


def summed_up(found: dict[str, Any], runs: dict[str, Any]) -> None:
    """The table and the result file."""
    none, bound = (found[name]["all"]["cost"] for name in ("no control", "perfect foresight"))
    lines = [(name, figures["all"]) for name, figures in found.items()]
    lines += [(f"{name}, {stage}", run[stage]["all"]) for name, run in runs.items() for stage in ("shared", "own")]
    table(
        f"{HOMES} homes, a year",
        ["", "cost / no control", "saving share", "transformer", "h > 95 %", "V min", "h < .95"],
        [
            [
                name,
                f"{f['cost'] / none:.4f}",
                f"{(none - f['cost']) / (none - bound):.3f}",
                f"{100 * f['transformer']:.1f} %",
                f["hours_above_95"],
                f"{f['lowest_voltage']:.4f}",
                f["hours_below_0.95"],
            ]
            for name, f in lines
        ],
    )
    seeds = sorted({run["seed"] for run in runs.values()})
    costs = {name: run["own"]["all"]["cost"] for name, run in runs.items()}
    extra = [costs[f"careful {seed}"] / costs[f"selfish {seed}"] - 1 for seed in seeds]
    print("cost over the selfish agents of the same seed:", ", ".join(f"{100 * e:+.2f} %" for e in extra))
    values = {
        "machine": machine(threads=1),
        "network": NETWORK,
        "learning": {"all": LEARNING, "shared": SHARED, "own": OWN},
        "margin": MARGIN,
        "rules": found,
        "runs": runs,
        "cost_over_selfish": extra,
    }
    save_json(RESULTS, values)


if __name__ == "__main__":
    main()
