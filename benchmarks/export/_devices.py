"""What the scripts of this folder share: the emulated boards, and the two networks of docs/edge.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BENCHMARKS = Path(__file__).parents[1]
for folder in (BENCHMARKS, BENCHMARKS.parent / "tests"):
    sys.path.insert(0, str(folder))

import trulysparse as ts  # noqa: E402
from export.emulation import BOARDS, HOST, Board, Program, build, frozen_scores, missing, run  # noqa: E402

__all__ = [
    "BOARDS",
    "DIGITS",
    "FASHION",
    "HOST",
    "Board",
    "Program",
    "boards",
    "build",
    "cost",
    "digits_network",
    "fashion_network",
    "frozen_scores",
    "random_samples",
    "run",
]

DIGITS, FASHION = (64, 100, 100, 10), (784, 1000, 1000, 1000, 10)


def boards(*names: str) -> list[Board]:
    """These boards; ends the script where this machine cannot emulate them."""
    chosen = [BOARDS[name] for name in names]
    lacking = [sentence for board in chosen if (sentence := missing(board))]
    if lacking:
        sys.exit("\n".join(lacking))
    return chosen


def digits_network(seed: int = 0) -> ts.SparseMLP:
    """64-100-100-10 with 4,640 connections."""
    return ts.SparseMLP(DIGITS, epsilon=10, seed=seed, threads=1)


def fashion_network(path: str = "", seed: int = 0) -> ts.SparseMLP:
    """784-1000-1000-1000-10 with 125,680 connections: the saved one at `path`, or a new one."""
    return ts.load(path) if path else ts.SparseMLP(FASHION, epsilon=20, seed=seed, threads=1)


def random_samples(net: ts.SparseMLP, n: int = 200) -> np.ndarray:
    """Samples like standardised ones: their instructions do not depend on the values."""
    return np.random.default_rng(1).standard_normal((n, net.layer_sizes[0]), dtype=np.float32)


_EMPTY = """
#include <stdint.h>
int32_t predict_one(const float *x);
int32_t predict_one(const float *x) { return x[0] > 0; }
"""
_MAIN = """
#include "device.h"
int32_t predict_one(const float *x);
static float x[INPUTS];
int main(void) {
  uint32_t samples, out[2];
  device_read(&samples, 4);
  while (samples--) {
    device_read(x, sizeof x);
    COUNT_START();
    out[0] = (uint32_t)predict_one(x);
    out[1] = COUNT_STOP();
    device_write(out, sizeof out);
  }
  out[0] = device_stack_used();
  device_write(out, 4);
  return 0;
}
"""


def cost(
    sources: dict[str, str | Path], board: Board, folder: Path, X: np.ndarray, flags: Sequence[str] = ()
) -> dict[str, object]:
    """What `int32_t predict_one(const float *x)` takes beyond a program whose predict_one does nothing: bytes of flash
    and of RAM (static and stack), instructions a call, and the labels."""
    main, given = _MAIN.replace("INPUTS", str(X.shape[1])), np.uint32(len(X)).tobytes() + X.tobytes()
    measured = []
    for number, parts in enumerate(({"empty.c": _EMPTY}, sources)):
        inside = folder / str(number)
        inside.mkdir(exist_ok=True, parents=True)
        program = build({"main.c": main, **parts}, board, inside, flags=flags)
        output = run(program, given, seconds=300)
        if output.code:
            raise RuntimeError(f"exit code {output.code}: {output.printed}")
        words = np.frombuffer(output.data, np.uint32)
        measured.append((program.flash, program.ram, int(words[-1]), words[1:-1:2].max(), words[:-1:2]))
    empty, full = measured
    return {
        "flash": full[0] - empty[0],
        "static_ram": full[1] - empty[1],
        "stack": full[2] - empty[2],
        "instructions": int(full[3]) - int(empty[3]),
        "labels": full[4].astype(int).tolist(),
    }
