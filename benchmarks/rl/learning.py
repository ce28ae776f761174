"""HalfCheetah, Hopper and Walker2d with TD3: densities, static, RigL, and dense torch in the same loop.

    python benchmarks/rl/learning.py                      # what is missing is run, some four hours on one core
    python benchmarks/rl/learning.py --no-runs            # sums up the runs in runs/rl

One thread; seconds are the processor's, without evaluations. A run's score is the mean of its last three evaluations
(10 episodes at the end, 5 before), a line's the interquartile mean over seeds, with the lowest and the highest seed.
Results go to benchmarks/results/rl_learning.json and docs/rl_learning.svg.
"""

from __future__ import annotations

from _curves import complete, options, report
from _plan import learning


def main() -> None:
    arguments = options(__doc__, 5)
    complete(learning(arguments.seeds), arguments)
    report("learning", learning(arguments.seeds), arguments.runs, "TD3")


if __name__ == "__main__":
    main()
