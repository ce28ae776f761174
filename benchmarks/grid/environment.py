"""How long a year of the environment takes: homes of the sample, resampled where more than 17 are wanted.
Self-consumption, one thread.

    python benchmarks/grid/environment.py 1022 vorstadt observe
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from trulysparse import grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("homes", type=int)
    parser.add_argument("feeder", nargs="?", choices=["none", "vorstadt", "dorf", "landnetz"], default="none")
    parser.add_argument("observe", nargs="?", choices=["observe", "rules"], default="rules")
    given = parser.parse_args()
    data = grid.sample_data(17)
    scenario = grid.scenario_of(data) if given.homes <= 17 else grid.resample(data, given.homes, seed=0)
    feeder = None if given.feeder == "none" else grid.Feeder.named(given.feeder)
    begun, used = time.perf_counter(), time.process_time()
    homes = grid.GridEnvironment(scenario, feeder=feeder, observe=given.observe == "observe")
    built = time.perf_counter()
    homes.reset()
    actions = np.tile(homes.start_actions, (homes.n_homes, 1))
    while not homes.step(actions).ended:
        pass
    ended = time.perf_counter()
    print(
        f"{homes.n_homes} homes, {homes.n_hours} hours: built in {built - begun:.2f} s, lived through in "
        f"{ended - built:.2f} s, {time.process_time() - used:.2f} s of the processor in all, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
    )


if __name__ == "__main__":
    main()
