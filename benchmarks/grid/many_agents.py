"""A year of learning of many agents, each with a sparse network and a topology of its own: seconds, memory, bytes.

Homes are drawn from those of the data with their days shuffled within the season, under one sky (see `resample`). All
of them learn, from their own hours alone, in the training weeks; topologies evolve, and neighbours average their models
every week. What comes of it is measured over the test weeks, against no control and the best rule:

    OPENBLAS_NUM_THREADS=1 python benchmarks/grid/many_agents.py --data FOLDER --homes 1022 --threads 2
    OPENBLAS_NUM_THREADS=1 python benchmarks/grid/many_agents.py --data FOLDER --homes 10074 --month --threads 2
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.bench.report import machine
from trulysparse.grid.agents import Training
from trulysparse.grid.agents.figures import needs_of
from trulysparse.grid.baselines.rules import NoControl, SelfConsumption, TimeOfUseFill
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.readers.citylearn import read_citylearn
from trulysparse.grid.scenario import resample
from trulysparse.grid.splits import Split, split_of

RESULTS = Path(__file__).parents[1] / "results"
MONTH = 4 * 168


def month_split(n_homes: int, n_hours: int) -> Split:
    """All homes learn in the first three weeks of the data, and are tested in the fourth."""
    test = np.ones(n_hours, np.bool_)
    test[: 3 * 168] = False
    everybody = np.arange(n_homes, dtype=np.int64)
    return Split(everybody, np.zeros(0, np.int64), test, np.zeros(0, np.int64))


def costs(environment: GridEnvironment, actor: Any, hours: Any) -> float:
    """Cost of all homes in the given hours, $."""
    return run(environment, actor, details=False).cost(hours=hours)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in CityLearn's 2022 layout")
    parser.add_argument("--homes", type=int, default=1022)
    parser.add_argument("--month", action="store_true", help="learn in the first month only")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--generations", type=int, default=150)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--out", type=Path, default=RESULTS / "grid_many_agents.json")
    arguments = parser.parse_args()
    data = read_citylearn(arguments.data)
    n_homes, n_hours = arguments.homes, len(data.hour)
    names = [f"home {number}" for number in range(n_homes)]
    split = month_split(n_homes, n_hours) if arguments.month else split_of(names, n_hours, n_train=n_homes)
    key = f"{n_homes} homes, {'a month' if arguments.month else 'a year'}"
    results = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    for seed in range(arguments.seeds):
        scenario = resample(data, n_homes, seed=seed)
        length = MONTH if arguments.month else n_hours
        tested = split.test_hours[:length]
        environment = GridEnvironment(scenario, n_hours=length)
        settings = {"candidates": arguments.candidates, "windows": arguments.windows}
        start, cpu = time.perf_counter(), time.process_time()
        training = Training(
            "es",
            scenario,
            split,
            density=arguments.density,
            exchange=168.0,
            length=arguments.generations,
            settings=settings,
            seed=seed,
            threads=arguments.threads,
        ).run()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        none = costs(environment, NoControl(), tested)
        ratios = {
            "self-consumption": costs(environment, SelfConsumption(), tested) / none,
            "best rule": costs(environment, TimeOfUseFill(spread=True), tested) / none,
            "agents": costs(environment, training.agents(), tested) / none,
        }
        fleet = training.method.fleet
        results.setdefault(key, {})[str(seed)] = {
            "machine": machine(arguments.threads),
            "seconds": round(seconds, 1),
            "processor seconds": round(cpu, 1),
            "peak MB": peak,
            "settings": settings | {"generations": arguments.generations, "density": arguments.density},
            "connections of all": fleet.n_connections,
            "connections replaced": int(training.method.strategy.replaced.sum()),
            "needs of an agent": {name: round(value, 3) for name, value in needs_of(training).mean().items()},
            "cost over no control in test weeks": {name: round(value, 4) for name, value in ratios.items()},
        }
        print(key, seed, results[key][str(seed)], flush=True)
        write_whole(arguments.out, lambda path: path.write_text(json.dumps(results, indent=1) + "\n"))


if __name__ == "__main__":
    main()
