"""Forward and backward of one layer 64 x 64 at density 0.1, batch 32: what a call costs.

python benchmarks/torch/small_layer.py [--threads 1] [--seconds 5]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from _contenders import LAYERS, Step, available
from _run import keep, options

from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave


def step_of(name: str) -> Step:
    """Forward and backward, with gradients of input, weights and biases."""
    layer = LAYERS[name](64, 64, 0.1, 0)
    x, dy = torch.randn(32, 64, requires_grad=True), torch.randn(32, 64)
    return lambda: layer(x).backward(dy)


def main() -> None:
    """Measures all contenders."""
    given = options(__doc__)
    torch.set_num_threads(given.threads)
    timings = interleave({name: step_of(name) for name in LAYERS if available(name)}, seconds=given.seconds)
    own = timings[0].median
    rows = [
        [
            each.name,
            *(round(value * 1e6, 1) for value in (each.median, each.low, each.high)),
            round(each.median / own, 2),
        ]
        for each in timings
    ]
    title = f"A layer 64 x 64, batch 32, forward and backward, {given.threads} threads"
    table(title, ["", "us", "quartile", "quartile", "times trulysparse"], rows)
    columns = ["name", "us", "low", "high", "ratio"]
    keep("torch_small_layer", given.threads, {"torch": torch.__version__, "columns": columns, "rows": rows})


if __name__ == "__main__":
    main()
