"""An MLP 784-1000-1000-1000-10 at density 0.045, batch 128, SGD with momentum: through PyTorch, by our own Trainer,
dense and masked, in turns.

    python benchmarks/torch/tabular.py [--threads 2] [--seconds 5]

All start from the same weights; losses of the sparse ones after a few steps are compared before anything is timed.
Memory is the peak of ten steps in a process of its own, beyond what it takes with everything imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from _contenders import peak, peak_alone, print_peak
from _run import keep, options

import trulysparse as ts
from trulysparse.bench.peers import PEERS
from trulysparse.bench.problems import Problem
from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave

NAMES = ("trulysparse", "trulysparse.torch", "torch dense", "torch masked", "torch csr")


def problem() -> Problem:
    """The network and a batch."""
    net = ts.SparseMLP((784, 1000, 1000, 1000, 10), density=0.045, activation="relu", seed=0)
    return Problem.make("tabular", net, 128)


def alone(name: str, threads: int) -> None:
    """Prints the memory that ten steps take."""
    torch.set_num_threads(threads)
    small = Problem.make("small", ts.SparseMLP((20, 30, 3), density=0.5, activation="relu"), 128)
    PEERS[name](small, threads)()  # what is imported and allocated once
    given, before = problem(), peak()
    step = PEERS[name](given, threads)
    for _ in range(10):
        step()
    print_peak(before)


def main() -> None:
    """Measures all contenders."""
    if "--alone" in sys.argv:
        name, threads = sys.argv[sys.argv.index("--alone") + 1 :]
        return alone(name, int(threads))
    given = options(__doc__)
    losses = {}
    for name in NAMES:
        if name == "torch dense":  # another network
            continue
        step = PEERS[name](problem(), given.threads)
        losses[name] = [step() for _ in range(4)][-1]
    assert max(losses.values()) - min(losses.values()) < 1e-3, losses
    timings = interleave({name: PEERS[name](problem(), given.threads) for name in NAMES}, seconds=given.seconds)
    own = timings[1].median
    rows: list[list[object]] = []
    for each in timings:
        ms = [round(value * 1e3, 3) for value in (each.median, each.low, each.high)]
        rows.append([each.name, *ms, round(each.median / own, 2), peak_alone(each.name, given.threads)])
    title = f"784-1000-1000-1000-10 at density 0.045, batch 128, {given.threads} threads"
    table(title, ["", "ms a step", "quartile", "quartile", "times trulysparse.torch", "peak memory"], rows)
    columns = ["name", "ms", "low", "high", "ratio", "peak"]
    keep(
        f"torch_tabular_{given.threads}", given.threads, {"torch": torch.__version__, "columns": columns, "rows": rows}
    )


if __name__ == "__main__":
    main()
