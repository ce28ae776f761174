"""The C training runtime as a program that obeys commands: a device at the other end of a pipe."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from export.c_host import Program, build

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "ts_train.h"

static void take(void *to, size_t bytes) { if (bytes && fread(to, 1, bytes, stdin) != bytes) exit(3); }
static uint32_t take32(void) { uint32_t v; take(&v, 4); return v; }
static float take_float(void) { float v; take(&v, 4); return v; }
static void *room(size_t bytes) { void *p = malloc(bytes ? bytes : 1); if (!p) exit(4); return p; }
static void put(const void *from, size_t bytes) { if (fwrite(from, 1, bytes, stdout) != bytes) exit(5); }
static int put_piece(void *context, const void *piece, size_t bytes) {
    uint8_t **to = (uint8_t **)context;
    memcpy(*to, piece, bytes), *to += bytes;
    return 0;
}
static void put_status(ptrdiff_t status) { const int32_t v = (int32_t)status; put(&v, 4); }

int main(void) {
    ts_train_config c = ts_train_defaults();
    ts_train t;
    c.blob_bytes = take32();
    void *blob = room(c.blob_bytes), *memory;
    take(blob, c.blob_bytes);
    c.blob = blob;
    c.batch = take32(), c.velocity = take32(), c.target_network = take32(), c.nesterov = take32(), c.seed = take32();
    c.momentum = take_float(), c.l2 = take_float(), c.decay = take_float(), c.dropout = take_float();
    const ptrdiff_t needed = ts_train_memory(&c);
    put_status(needed);
    memory = room(needed > 0 ? (size_t)needed : 8); /* not a byte more: the sanitizer sees the next one */
    memset(&t, 7, sizeof(t));
    if (needed > 0) { /* too small: the bytes needed, and nothing changed */
        const ts_train before = t;
        if (ts_train_init(&t, memory, (size_t)needed - 1u, &c) != needed) return 6;
        if (ts_train_init(&t, NULL, 0, &c) != needed) return 7;
        if (memcmp(&t, &before, sizeof(t)) != 0) return 8;
    }
    const ptrdiff_t status = ts_train_init(&t, memory, needed > 0 ? (size_t)needed : 8u, &c);
    put_status(status);
    if (status != TS_OK) return 0;
    const size_t n_in = t.layers[0].n_in, n_out = ts_output_layer(&t)->n_out;
    for (;;) {
        uint32_t command;
        if (fread(&command, 4, 1, stdin) != 1) break;
        if (command == 1) { /* a step */
            const uint32_t n = take32();
            const float rate = take_float();
            const size_t per = t.output == TS_OUTPUT_SOFTMAX ? 1 : n_out;
            float *x = (float *)room(n * n_in * 4), *y = (float *)room(n * per * 4);
            take(x, n * n_in * 4), take(y, n * per * 4);
            put_status(ts_train_batch(&t, x, y, n, rate));
            put(&t.loss, 4);
            free(x), free(y);
        } else if (command == 2) { /* scores and predictions */
            const uint32_t n = take32();
            float *x = (float *)room(n_in * 4), *z = (float *)room(n_out * 4);
            for (uint32_t i = 0; i < n; ++i) {
                take(x, n_in * 4);
                ts_train_scores(&t, x, z);
                put(z, n_out * 4);
                put_status(ts_train_predict(&t, x));
            }
            free(x), free(z);
        } else { /* saved; command 4: and resumed from there, in other memory */
            const size_t bytes = ts_train_save(&t, NULL, 0);
            uint8_t *saved = (uint8_t *)room(bytes);
            memset(saved, 9, bytes);
            if (ts_train_save(&t, saved, bytes - 1u) != bytes || saved[0] != 9 || saved[bytes - 1u] != 9) return 9;
            if (ts_train_save(&t, saved, bytes) != bytes) return 10;
            uint8_t *pieces = (uint8_t *)room(bytes), *at = pieces;
            if (ts_train_send(&t, put_piece, &at) != TS_OK || at != pieces + bytes) return 12;
            if (memcmp(pieces, saved, bytes) != 0) return 13;
            free(pieces);
            const uint32_t count = (uint32_t)bytes;
            put(&count, 4), put(saved, bytes);
            if (command != 4) { free(saved); continue; }
            memset(memory, 3, (size_t)needed), free(memory), free(blob);
            blob = saved, c.blob = blob, c.blob_bytes = bytes;
            memory = room((size_t)needed);
            if (ts_train_memory(&c) != needed || ts_train_init(&t, memory, (size_t)needed, &c) != TS_OK) return 11;
        }
    }
    free(memory), free(blob);
    return 0;
}
"""


@dataclass
class Scenario:
    """What a device is to do: a blob, a configuration, and commands."""

    blob: bytes
    batch: int = 1
    velocity: int = 1
    target_network: int = 0
    nesterov: int = 0
    seed: int = 0
    momentum: float = 0.9
    l2: float = 0.0
    decay: float = 0.0
    dropout: float = 0.0
    commands: list[tuple[str, int, bytes]] = field(default_factory=list)

    def step(self, x: np.ndarray, y: np.ndarray, rate: float) -> Scenario:
        x, y = np.atleast_2d(np.asarray(x, np.float32)), np.asarray(y, np.float32)
        data = struct.pack("<2If", 1, len(x), rate) + x.tobytes() + y.tobytes()
        self.commands.append(("step", 0, data))
        return self

    def scores(self, x: np.ndarray) -> Scenario:
        x = np.ascontiguousarray(x, np.float32)
        self.commands.append(("scores", len(x), struct.pack("<2I", 2, len(x)) + x.tobytes()))
        return self

    def save(self) -> Scenario:
        self.commands.append(("save", 0, struct.pack("<I", 3)))
        return self

    def resume(self) -> Scenario:
        self.commands.append(("save", 0, struct.pack("<I", 4)))
        return self


@dataclass
class Outcome:
    """What a device answered."""

    needed: int
    status: int
    statuses: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    predictions: list[np.ndarray] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)


def compiled(folder: Path, flags: Sequence[str] = ("-O1",)) -> Program:
    """The program, sanitized."""
    return build(folder, {"train_main.c": MAIN}, flags)


def run(program: Program, scenario: Scenario, n_out: int = 0) -> Outcome:
    """Runs a scenario. n_out: outputs of the network, where scores are asked for."""
    s = scenario
    head = struct.pack("<I", len(s.blob)) + s.blob
    head += struct.pack("<5I4f", s.batch, s.velocity, s.target_network, s.nesterov, s.seed, *_floats(s))
    out = program.run(head + b"".join(data for _, _, data in s.commands))
    needed, status = struct.unpack_from("<2i", out)
    outcome, at = Outcome(needed, status), 8
    for kind, n, _ in s.commands if status == 0 else ():
        if kind == "step":
            done, loss = struct.unpack_from("<if", out, at)
            outcome.statuses.append(done)
            outcome.losses.append(loss)
            at += 8
        elif kind == "scores":
            rows = np.frombuffer(out, np.dtype([("z", "<f4", (n_out,)), ("p", "<i4")]), n, at)
            outcome.scores.append(rows["z"].copy())
            outcome.predictions.append(rows["p"].copy())
            at += rows.nbytes
        else:
            (size,) = struct.unpack_from("<I", out, at)
            outcome.blobs.append(out[at + 4 : at + 4 + size])
            at += 4 + size
    assert at == len(out)
    return outcome


def _floats(s: Scenario) -> tuple[float, float, float, float]:
    return s.momentum, s.l2, s.decay, s.dropout
