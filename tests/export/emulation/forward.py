"""An exported network on an emulated board: what it answers, and how many instructions that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .boards import Board
from .programs import Program, build, run


@dataclass(frozen=True)
class Forward:
    """Answers to n samples.

    Args:
        scores: (n, outputs) float32
        predictions: (n,) int32
        instructions: (n,) of a call of NAME_scores, entry and return with it
        predict_instructions: (n,) of NAME_predict
        stack: bytes, main's own among them
        program: with its sizes
    """

    scores: np.ndarray
    predictions: np.ndarray
    instructions: np.ndarray
    predict_instructions: np.ndarray
    stack: int
    program: Program


_MAIN = """
#include "device.h"
void NAME_scores(const float *x, float *z);
int NAME_predict(const float *x);
static float x[N_IN], z[N_OUT];
int main(void) {
  uint32_t samples, count[2];
  device_read(&samples, sizeof samples);
  while (samples--) {
    device_read(x, sizeof x);
    COUNT_START();
    NAME_scores(x, z);
    count[0] = COUNT_STOP();
    COUNT_START();
    const int32_t label = NAME_predict(x);
    count[1] = COUNT_STOP();
    device_write(z, sizeof z);
    device_write(&label, sizeof label);
    device_write(count, sizeof count);
  }
  const uint32_t stack = device_stack_used();
  device_write(&stack, sizeof stack);
  return 0;
}
"""


def forward(
    files: Sequence[Path],
    board: Board,
    folder: Path,
    X: np.ndarray,
    n_outputs: int,
    *,
    name: str = "net",
    optimise: str = "-O2",
    seconds: float = 120,
) -> Forward:
    """Builds the exported `files` for a board and runs X (n, inputs) through NAME_scores and NAME_predict."""
    X = np.ascontiguousarray(X, np.float32)
    main = _MAIN.replace("NAME", name).replace("N_IN", str(X.shape[1])).replace("N_OUT", str(n_outputs))
    program = build({"main.c": main, **{path.name: path for path in files}}, board, folder, optimise)
    output = run(program, np.uint32(len(X)).tobytes() + X.tobytes(), seconds=seconds)
    if output.code:
        raise RuntimeError(f"exit code {output.code}: {output.printed}")
    kind = np.dtype([("z", "<f4", n_outputs), ("label", "<i4"), ("count", "<u4", 2)])
    rows = np.frombuffer(output.data, kind, len(X))
    stack = int(np.frombuffer(output.data[-4:], "<u4")[0])
    return Forward(rows["z"], rows["label"], rows["count"][:, 0], rows["count"][:, 1], stack, program)


def frozen_scores(model: Any, X: np.ndarray) -> np.ndarray:
    """What an exported network should give: the outputs of `model.freeze()` before softmax and sigmoid."""
    X = np.ascontiguousarray(X, np.float32)
    return np.concatenate([np.array(z.T) for _, z in model.freeze().output_batches(X, activated=False)])
