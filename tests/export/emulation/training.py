"""Training of a network on an emulated board: the blob it leaves, and how many instructions a step takes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import trulysparse
from trulysparse.export import blob_of

from .boards import Board
from .programs import Program, build, run

RUNTIME = Path(trulysparse.__file__).parent / "export" / "c_runtime"


@dataclass(frozen=True)
class Training:
    """What is left after the steps.

    Args:
        blob: the network as ts_train_save wrote it
        losses: (steps,) float32
        predictions: (n,) int32 of the trained network on all samples
        forward: instructions of a forward pass alone (ts_train_forward, for training), the last
        step: (steps,) of ts_train_step
        evolve: of ts_train_evolve, 0 where there was none
        memory: bytes of ts_train_memory
        stack: bytes, main's own among them
        program: with its sizes
    """

    blob: bytes
    losses: np.ndarray
    predictions: np.ndarray
    forward: int
    step: np.ndarray
    evolve: int
    memory: int
    stack: int
    program: Program


_MAIN = """
#include "device.h"
#include "ts_train.h"
#include "ts_evolve.h"

static uint64_t blob[BLOB / 8], memory[MEMORY / 8];
static uint8_t saved[SAVED];
static float x[SAMPLES][N_IN], target[SAMPLES][N_TARGETS];

int main(void) {
  ts_train t;
  ts_train_config c = ts_train_defaults();
  float rate, zeta;
  uint32_t bytes, steps, count;
  device_read(&bytes, 4);
  device_read(blob, bytes);
  device_read(&c.velocity, 4);
  device_read(&c.momentum, 4);
  device_read(&c.dropout, 4);
  device_read(&rate, 4);
  device_read(&zeta, 4);
  device_read(&steps, 4);
  device_read(x, sizeof x);
  device_read(target, sizeof target);
  c.blob = blob, c.blob_bytes = bytes, c.seed = 7, c.batch = BATCH;
  const int32_t needed = (int32_t)ts_train_memory(&c);
  device_write(&needed, 4);
  if (needed < 0) return 1;
  if ((uint32_t)needed > sizeof memory) return 0;
  if (ts_train_init(&t, memory, sizeof memory, &c)) return 2;
  COUNT_START();
  ts_train_forward(&t, x[0], BATCH, 1, 0);
  count = COUNT_STOP();
  device_write(&count, 4);
  for (uint32_t i = 0; i < steps; i++) {
    const uint32_t at = i * BATCH % SAMPLES;
    COUNT_START();
    const int problem = BATCH == 1 ? ts_train_step(&t, x[at], target[at], rate)
                                   : ts_train_batch(&t, x[at], target[at], BATCH, rate);
    count = COUNT_STOP();
    if (problem) return 3;
    device_write(&t.loss, 4);
    device_write(&count, 4);
  }
  COUNT_START();
  if (zeta > 0.0f && ts_train_evolve(&t, zeta, TS_SET) < 0) return 4;
  count = COUNT_STOP();
  device_write(&count, 4);
  for (int i = 0; i < SAMPLES; i++) {
    const int32_t label = ts_train_predict(&t, x[i]);
    device_write(&label, 4);
  }
  count = device_stack_used();
  device_write(&count, 4);
  count = (uint32_t)ts_train_save(&t, saved, sizeof saved);
  if (count > sizeof saved) return 5;
  device_write(saved, count);
  return 0;
}
"""


def train(
    model: trulysparse.SparseMLP,
    board: Board,
    folder: Path,
    X: np.ndarray,
    targets: np.ndarray,
    steps: int,
    *,
    rate: float = 0.01,
    momentum: float = 0.9,
    velocity: int = 1,
    dropout: float = 0.0,
    batch: int = 1,
    zeta: float = 0.0,
    optimise: str = "-O2",
    flags: Sequence[str] = (),
    seconds: float = 300,
) -> Training:
    """Takes `steps` steps on X (n, inputs), again and again in order, then evolves by SET where zeta is above 0.

    Args:
        model: a network; its blob goes to the board
        board, folder, optimise, flags: see build
        X, targets: samples; class numbers (n,) or values (n, outputs)
        steps: of `batch` samples each, n a multiple of it
        velocity: 0 none, 1 float32, 2 bfloat16
        rate, momentum, dropout, zeta: as in the library
        seconds: of real time at most
    """
    X = np.ascontiguousarray(X, np.float32)
    targets = np.ascontiguousarray(targets, np.float32).reshape(len(X), -1)
    blob = blob_of(model)
    given = struct.pack("<I", len(blob)) + blob + struct.pack("<IffffI", velocity, momentum, dropout, rate, zeta, steps)
    given += X.tobytes() + targets.tobytes()
    room = {"BLOB": len(blob) + 7 & ~7, "SAVED": 2 * len(blob), "SAMPLES": len(X), "BATCH": batch}
    room |= {"N_IN": X.shape[1], "N_TARGETS": targets.shape[1], "MEMORY": 8}
    for _ in range(2):  # the first says how many bytes it needs
        defines = [f"-D{name}={number}" for name, number in room.items()]
        program = build({"main.c": _MAIN}, board, folder, optimise, flags=(f"-I{RUNTIME}", *defines, *flags))
        output = run(program, given, seconds=seconds)
        if output.code:
            raise RuntimeError(f"exit code {output.code}: {output.printed}")
        memory = int(np.frombuffer(output.data, "<i4", 1)[0])
        room["MEMORY"] = memory + 7 & ~7
    words = np.frombuffer(output.data, "<u4", 2 + 2 * steps + 1 + len(X) + 1)
    pairs = words[2 : 2 + 2 * steps].reshape(steps, 2)
    return Training(
        blob=output.data[words.nbytes :],
        losses=pairs[:, 0].copy().view("<f4"),
        predictions=words[3 + 2 * steps : 3 + 2 * steps + len(X)].view("<i4"),
        forward=int(words[1]),
        step=pairs[:, 1],
        evolve=int(words[2 + 2 * steps]),
        memory=memory,
        stack=int(words[-1]),
        program=program,
    )
