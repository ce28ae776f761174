"""HalfCheetah, 1,000,000 steps of TD3 at density 0.1 and with the settings of DS-TD3.

    python benchmarks/rl/million.py                      # what is missing is run, two hours on one core
    python benchmarks/rl/million.py --no-runs            # sums up the runs in runs/rl

One thread; seconds are the processor's, without evaluations. A run's score is the mean of its last three evaluations
(10 episodes at the end, 5 before), a line's the interquartile mean over seeds, with the lowest and the highest seed.
Results go to benchmarks/results/rl_million.json and docs/rl_million.svg.
"""

from __future__ import annotations

from _curves import complete, options, report
from _plan import million


def main() -> None:
    arguments = options(__doc__, 2)
    complete(million(arguments.seeds), arguments)
    report("million", million(arguments.seeds), arguments.runs, "TD3, 1,000,000 steps")


if __name__ == "__main__":
    main()
