"""A year of 146, 1,022 and 10,074 homes behind feeders of 146, hour by hour: batteries under a time-of-use rule, exact
power flow every hour, penalties, bills; and a batch of a year's power flows alone.

    python benchmarks/grid/scale.py --data FOLDER

FOLDER has CityLearn's 2022 layout; without it the sample that ships is used, whose homes are resampled alike. Each size
runs in a process of its own, on one thread; its memory is the most that the process held."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse.bench.report import machine, save_json, table

RESULTS = Path(__file__).parents[1] / "results" / "grid_scale.json"
SIZES = (146, 1_022, 10_074)
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def year(homes: int, data: Path | None, hours: int | None, limits: str) -> dict[str, Any]:
    """Lives through the year in this process."""
    from trulysparse import grid
    from trulysparse.grid.baselines.rules import TimeOfUseFill
    from trulysparse.grid.feeder import Feeder
    from trulysparse.grid.scenario import resample

    begin = time.perf_counter()
    scenario = resample(grid.read_citylearn(data) if data else grid.sample_data(), homes, seed=0)
    environment = grid.GridEnvironment(
        scenario, feeder=Feeder.named("vorstadt"), grid_limits=limits, observe=False, n_hours=hours
    )
    rule = TimeOfUseFill((2, 6))
    prepared, processor = time.perf_counter(), time.process_time()
    environment.reset()
    rule.start(environment)
    worst, lowest, cost, beyond, ended = 0.0, 1.0, 0.0, 0, False
    while not ended:
        step = rule.step(environment)
        worst = max(worst, float(step.transformer_loading.max()))
        lowest = min(lowest, float(step.voltage.min()))
        beyond += int((step.penalty > 0).any())
        cost += float(step.cost.sum())
        ended = step.ended
    seconds = time.perf_counter() - prepared
    return {
        "homes": homes,
        "hours": environment.n_hours,
        "limits": limits,
        "seconds": seconds,
        "processor_seconds": time.process_time() - processor,
        "seconds_to_prepare": prepared - begin,
        "home_hours_per_second": homes * environment.n_hours / seconds,
        "peak_mb": peak_bytes() / 1e6,
        "cost_per_home": cost / homes,
        "transformer_loading": worst,
        "lowest_voltage": lowest,
        "hours_beyond_limits": beyond,
    }


def peak_bytes() -> float:
    """The most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says may be the parent's
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * float(line.split()[1])
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def batch(hours: int) -> dict[str, Any]:
    """A year of power flows of one feeder, in one call."""
    from trulysparse.grid.feeder import Feeder
    from trulysparse.grid.power_flow.flow import Feeders

    feeders = Feeders(Feeder.named("vorstadt"))
    net = np.random.default_rng(0).normal(0.5, 1.5, (hours, 146))
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        feeders.flow(net)
        seconds.append(time.perf_counter() - begin)
    return {"homes": 146, "hours": hours, "seconds": min(seconds), "ms_per_flow": 1000 * min(seconds) / hours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder in CityLearn's 2022 layout")
    parser.add_argument("--hours", type=int, help="hours to live through; all where not given")
    parser.add_argument("--limits", choices=("penalty", "curtail"), default="penalty")
    parser.add_argument("--one", type=int, help="runs this many homes in this process and prints the figures")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--no-file", action="store_true", help="does not write the result file")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(year(arguments.one, arguments.data, arguments.hours, arguments.limits)))
        return
    rows = []
    for homes in arguments.sizes:
        command = [sys.executable, __file__, "--one", str(homes), "--limits", arguments.limits]
        command += ["--data", str(arguments.data)] if arguments.data else []
        command += ["--hours", str(arguments.hours)] if arguments.hours else []
        done = subprocess.run(command, env=os.environ | THREADS, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    flows = batch(8760)
    table(
        "A year of homes behind feeders of 146",
        ["homes", "seconds", "processor s", "home-hours/s", "peak MB", "transformer", "V min"],
        [
            [
                f"{row['homes']:,}",
                row["seconds"],
                row["processor_seconds"],
                f"{row['home_hours_per_second']:,.0f}",
                f"{row['peak_mb']:.0f}",
                row["transformer_loading"],
                row["lowest_voltage"],
            ]
            for row in rows
        ],
    )
    print(f"8,760 power flows of 146 homes in one call: {flows['seconds']:.3f} s, {flows['ms_per_flow']:.4f} ms each")
    if not arguments.no_file:
        save_json(RESULTS, {"machine": machine(threads=1), "years": rows, "batch": flows})


if __name__ == "__main__":
    main()
