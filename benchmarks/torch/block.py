"""A block 512-2048-512 with GELU, AdamW, 1,024 tokens in float32: the whole training step, in turns.

    python benchmarks/torch/block.py [--threads 2] [--seconds 5]

A step is the forward pass, a loss, the backward pass and AdamW(foreach). "torch.sparse" is CSR with a backward pass
written by hand. SparseLab, from PyPI, takes part where it is installed. Memory is the peak of ten steps in a process of
its own, beyond what it takes with everything imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from _contenders import LAYERS, Step, available, peak, peak_alone, print_peak
from _run import keep, options
from torch import nn

from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave

WIDTH, HIDDEN, TOKENS = 512, 2048, 1024
DENSITIES = (0.3, 0.1, 0.05, 0.01)


def step_of(name: str, density: float) -> Step:
    """A training step of a contender."""
    torch.manual_seed(0)
    make = LAYERS[name]
    model = nn.Sequential(make(WIDTH, HIDDEN, density, 0), nn.GELU(), make(HIDDEN, WIDTH, density, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, foreach=True)
    x, target = torch.randn(TOKENS, WIDTH), torch.randn(TOKENS, WIDTH)

    def step() -> None:
        loss = nn.functional.mse_loss(model(x), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def alone(name: str, density: float, threads: int) -> None:
    """Prints the memory that ten steps take."""
    torch.set_num_threads(threads)
    step_of("trulysparse", 0.5)()  # what is imported and allocated once
    before = peak()
    step = step_of(name, density)
    for _ in range(10):
        step()
    print_peak(before)


def main() -> None:
    """Measures all contenders at all densities."""
    if "--alone" in sys.argv:
        name, density, threads = sys.argv[sys.argv.index("--alone") + 1 :]
        return alone(name, float(density), int(threads))
    given = options(__doc__)
    torch.set_num_threads(given.threads)
    rows: list[list[object]] = []
    for density in DENSITIES:
        names = [name for name in LAYERS if available(name)]
        timings = interleave({name: step_of(name, density) for name in names}, seconds=given.seconds)
        own = timings[0].median
        for each in timings:
            memory = peak_alone(each.name, density, given.threads)
            ms = [round(value * 1e3, 2) for value in (each.median, each.low, each.high)]
            rows.append([density, each.name, *ms, round(each.median / own, 2), memory])
    title = f"Block 512-2048-512, GELU, AdamW, 1,024 tokens, float32, {given.threads} threads"
    table(title, ["density", "", "ms", "quartile", "quartile", "times trulysparse", "peak memory"], rows)
    columns = ["density", "name", "ms", "low", "high", "ratio", "peak"]
    keep(f"torch_block_{given.threads}", given.threads, {"torch": torch.__version__, "columns": columns, "rows": rows})


if __name__ == "__main__":
    main()
