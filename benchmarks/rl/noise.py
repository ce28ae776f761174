"""HalfCheetah with 90 % of inputs noise: an evolving input layer (ANF), density 0.1, dense torch.

    python benchmarks/rl/noise.py                      # what is missing is run, two hours on one core
    python benchmarks/rl/noise.py --no-runs            # sums up the runs in runs/rl

One thread; seconds are the processor's, without evaluations. A run's score is the mean of its last three evaluations
(10 episodes at the end, 5 before), a line's the interquartile mean over seeds, with the lowest and the highest seed.
Results go to benchmarks/results/rl_noise.json and docs/rl_noise.svg.
"""

from __future__ import annotations

from _curves import complete, options, report
from _plan import noise


def main() -> None:
    arguments = options(__doc__, 3)
    complete(noise(arguments.seeds), arguments)
    report("noise", noise(arguments.seeds), arguments.runs, "TD3, 90 % noise")


if __name__ == "__main__":
    main()
