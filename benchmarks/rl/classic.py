"""Pendulum, CartPole, Acrobot and LunarLander, beside Stable-Baselines3.

    python benchmarks/rl/classic.py                      # what is missing is run, one hour on one core
    python benchmarks/rl/classic.py --no-runs            # sums up the runs in runs/rl

One thread; seconds are the processor's, without evaluations. A run's score is the mean of its last three evaluations
(10 episodes at the end, 10 before), a line's the interquartile mean over seeds, with the lowest and the highest seed.
Results go to benchmarks/results/rl_classic.json and docs/rl_classic.svg.
"""

from __future__ import annotations

from _curves import complete, options, report
from _plan import classic


def main() -> None:
    arguments = options(__doc__, 3)
    complete(classic(arguments.seeds), arguments)
    report("classic", classic(arguments.seeds), arguments.runs, "classic control")


if __name__ == "__main__":
    main()
