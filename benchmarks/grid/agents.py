"""Agents of single homes against rules and perfect foresight: homes and weeks that were learned from, and others.

Agents learn in the training homes (the first 10 of 17) and in three of four weeks. Each home's cost is compared with no
control and with the dynamic program that knows the year: saving share = (C0 - C) / (C0 - C_foresight). Homes that did
not learn decide by the owner average of those that did. With --everybody all homes learn, each in its own training
weeks. A folder in CityLearn's 2022 layout gives the data:

    OPENBLAS_NUM_THREADS=1 python benchmarks/grid/agents.py --data smart_grid_2022 --seeds 3
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.bench.report import machine
from trulysparse.grid.agents import Training
from trulysparse.grid.agents.figures import needs_of
from trulysparse.grid.baselines.dynamic_program import dynamic_program
from trulysparse.grid.baselines.rules import NoControl, Requests, SelfConsumption, TimeOfUse, TimeOfUseFill
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.outcome import Outcome
from trulysparse.grid.readers.citylearn import read_citylearn
from trulysparse.grid.splits import Split, split_of

RESULTS = Path(__file__).parents[1] / "results"
WIDE = {"hidden": (128, 128)}
WEEKLY = {"exchange": 168.0}
RUNS: dict[str, dict[str, Any]] = {
    "es, weekly exchange": {"kind": "es", **WEEKLY},
    "es, exchange three times a week, 1200 generations": {"kind": "es", "exchange": 56.0, "length": 1200},
    "es, dense, weekly exchange": {"kind": "es", "density": 1.0, **WEEKLY},
    "es, shared": {"kind": "es", "shared": True},
    "es, alone": {"kind": "es"},
    "es, alone, topology stays": {"kind": "es", "evolve": False},
    "es, dense, alone": {"kind": "es", "density": 1.0},
    "es, shared, dense": {"kind": "es", "shared": True, "density": 1.0},
    "td3, exchange every 20 days": {"kind": "td3", "neighbours": 1, "exchange": 480.0, **WIDE},
    "td3, alone": {"kind": "td3", **WIDE},
    "dqn, exchange every 20 days": {"kind": "dqn", "neighbours": 1, "exchange": 480.0, **WIDE},
    "dqn, alone": {"kind": "dqn", **WIDE},
}
RULES = (NoControl(), SelfConsumption(), TimeOfUse(), TimeOfUseFill(), TimeOfUseFill(spread=True))


def cells(outcome: Outcome, none: Outcome, bound: Outcome, split: Split) -> dict[str, float]:
    """Saving shares in percent of seen and unseen homes and weeks, and the cost ratio of everything."""
    every = np.arange(outcome.n_homes)
    clean = np.setdiff1d(split.test_homes, split.flagged)
    groups = {
        "all homes, all weeks": (every, None),
        "training homes, training weeks": (split.train_homes, split.train_hours),
        "training homes, test weeks": (split.train_homes, split.test_hours),
        "unseen homes, training weeks": (split.test_homes, split.train_hours),
        "unseen homes, test weeks": (split.test_homes, split.test_hours),
        "unseen homes without the odd ones, test weeks": (clean, split.test_hours),
    }
    found = {
        name: 100 * outcome.saving_share(none, bound, homes, hours)
        for name, (homes, hours) in groups.items()
        if len(homes)
    }
    ratios = {
        "cost ratio, mean of homes": float((outcome.home_costs() / none.home_costs()).mean()),
        "cost ratio, unseen homes, test weeks": outcome.cost(split.test_homes, split.test_hours)
        / none.cost(split.test_homes, split.test_hours)
        if len(split.test_homes)
        else float("nan"),
    }
    return {name: round(value, 4) for name, value in (found | ratios).items()}


def reference(data: Any, environment: GridEnvironment) -> tuple[Outcome, Outcome]:
    """No control, and perfect foresight."""
    none = run(environment, NoControl())
    tariff = environment.tariff
    plan = dynamic_program(
        data.load.astype(np.float64) - data.pv,
        data.battery_kwh,
        data.battery_kw,
        tariff.import_price[:, 0],
        tariff.export_price[:, 0],
    )
    return none, run(environment, Requests(plan.requests, "perfect foresight"))


def train(data: Any, split: Split, seed: int, options: dict[str, Any]) -> tuple[Training, float, float]:
    """One training, its seconds, and those of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    given = {name: value for name, value in options.items() if name != "kind"}
    training = Training(options["kind"], data, split, seed=seed, **given).run()
    return training, time.perf_counter() - start, time.process_time() - cpu


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in CityLearn's 2022 layout")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of runs; all by default")
    parser.add_argument("--everybody", action="store_true", help="all homes learn")
    parser.add_argument("--out", type=Path, default=RESULTS / "grid_agents.json")
    arguments = parser.parse_args()
    data = read_citylearn(arguments.data)
    seen = split_of(data.names, len(data.hour))
    split = replace(seen, train_homes=np.arange(len(data.names))) if arguments.everybody else seen
    environment = GridEnvironment(data)
    none, bound = reference(data, environment)
    results = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    results["machine"] = machine(1)
    for rule in RULES:
        outcome = run(environment, rule)
        results.setdefault("rules", {})[rule.label] = cells(outcome, none, bound, seen)
        print(rule.label, results["rules"][rule.label], flush=True)
    results["rules"]["perfect foresight"] = cells(bound, none, bound, seen)
    for name in arguments.only or RUNS:
        key = f"{name}, all homes learn" if arguments.everybody else name
        for seed in range(arguments.seeds):
            done = results.setdefault("agents", {}).setdefault(key, {})
            if str(seed) in done:
                continue
            training, seconds, cpu = train(data, split, seed, RUNS[name])
            outcome = run(environment, training.agents())
            needs = needs_of(training).mean()
            done[str(seed)] = {
                **cells(outcome, none, bound, seen),
                "seconds": round(seconds, 1),
                "processor seconds": round(cpu, 1),
                "needs": {what: round(value, 3) for what, value in needs.items()},
                "peak MB of the process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
            print(key, seed, done[str(seed)], flush=True)
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(arguments.out, lambda path: path.write_text(json.dumps(results, indent=1) + "\n"))


if __name__ == "__main__":
    main()
