"""ts_draw.h, ts_td.h and ts_replay.h as a program that obeys commands, and what it answers."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from export.c_host import Program, build
from export.evolution_reference import Layer

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "ts_draw.h"
#include "ts_td.h"

static void take(void* to, size_t bytes) { if (bytes && fread(to, 1, bytes, stdin) != bytes) exit(3); }
static uint32_t take32(void) { uint32_t v; take(&v, 4); return v; }
static float take_float(void) { float v; take(&v, 4); return v; }
static void* room(size_t bytes) { void* p = malloc(bytes ? bytes : 1); if (!p) exit(4); return p; }
static void* taken(size_t bytes) { void* p = room(bytes); take(p, bytes); return p; }
static void put(const void* from, size_t bytes) { if (bytes && fwrite(from, 1, bytes, stdout) != bytes) exit(5); }
static void put_status(ptrdiff_t status) { const int32_t v = (int32_t)status; put(&v, 4); }

static void put_network(const ts_train* t) {
    for (uint32_t k = 0; k < t->n_layers; ++k) {
        const ts_layer* const l = t->layers + k;
        put(&l->count, 4), put(l->start, (l->n_in + 1) * 4), put(l->index, l->count * 2), put(l->weight, l->count * 4);
        if (l->velocity) put(l->velocity, l->count * 4);
        if (l->target) put(l->target, l->count * 4), put(l->bias_target, l->n_out * 4);
        put(l->bias, l->n_out * 4);
    }
}

static void agent(void) {
    ts_train_config c = ts_train_defaults();
    ts_train t;
    c.n_sizes = take32();
    uint32_t* const sizes = taken(c.n_sizes * 4);
    c.sizes = sizes, c.epsilon = take_float(), c.activation = take32(), c.slope = take_float(), c.all_relu = take32();
    c.output = take32(), c.seed = take32(), c.batch = take32(), c.momentum = take_float();
    c.velocity = c.momentum > 0 ? TS_FLOAT32 : TS_NO_VELOCITY, c.target_network = take32();
    const ptrdiff_t needed = ts_train_memory(&c);
    void* const memory = room(needed > 0 ? (size_t)needed : 1);
    if (ts_train_draw(&t, memory, (size_t)(needed > 0 ? needed : 1) - 1, &c) != needed) exit(6);
    put_status(ts_train_draw(&t, memory, needed > 0 ? (size_t)needed : 1, &c));
    if (needed < 0) exit(0);
    uint32_t command;
    while (fread(&command, 4, 1, stdin) == 1) {
        if (command == 1) {
            ts_transitions s;
            ts_td td;
            s.n = take32(), td.gamma = take_float(), td.clip = take_float(), td.twice = take32();
            const float rate = take_float();
            const size_t bytes = 4 * (size_t)s.n;
            float *const x = taken(sizes[0] * bytes), *const next = taken(sizes[0] * bytes);
            float* const reward = taken(bytes);
            uint32_t *const action = taken(bytes), *const terminal = taken(bytes);
            s.x = x, s.next = next, s.reward = reward, s.action = action, s.terminal = terminal;
            put_status(ts_td_step(&t, &td, &s, rate));
            put(&t.loss, 4);
            free(x), free(next), free(reward), free(action), free(terminal);
        } else if (command == 2) {
            put_status(ts_td_copy(&t, take_float()));
        } else if (command == 3) {
            const float zeta = take_float();
            put_status(ts_train_evolve(&t, zeta, take32()));
        } else if (command == 4) {
            put_network(&t);
        } else {
            const float epsilon = take_float();
            float* const x = taken(sizes[0] * 4);
            const uint32_t n = take32();
            for (uint32_t step = 0; step < n; ++step) put_status((ptrdiff_t)ts_td_act(&t, x, epsilon, step));
            free(x);
        }
    }
    free(memory), free(sizes);
}

static void replay(void) {
    ts_replay r;
    ts_replay_config c;
    take(&c, sizeof(c));
    const ptrdiff_t needed = ts_replay_memory(&c);
    put_status(needed);
    if (needed < 0) return;
    void* const memory = room((size_t)needed);
    float* const x = room(c.n_in * 4);
    if (ts_replay_init(&r, memory, (size_t)needed - 1, &c) != needed) exit(7);
    if (ts_replay_init(&r, memory, (size_t)needed, &c) != TS_OK) exit(8);
    uint32_t command;
    while (fread(&command, 4, 1, stdin) == 1) {
        ts_transitions s;
        if (command < 3) {
            take(x, c.n_in * 4);
            const uint32_t action = take32();
            const float reward = take_float();
            if (command == 2 ? ts_replay_cut(&r, x) : ts_replay_add(&r, x, action, reward, (int)command)) exit(9);
            continue;
        }
        const int status = ts_replay_sample(&r, &s);
        put_status(status);
        if (status) continue;
        put(s.x, c.batch * c.n_in * 4), put(s.next, c.batch * c.n_in * 4), put(s.reward, c.batch * 4);
        put(s.action, c.batch * 4), put(s.terminal, c.batch * 4);
    }
    free(memory), free(x);
}

int main(void) {
    if (take32()) replay(); else agent();
    return 0;
}
"""
LEAKY, TANH, SIGMOID, GELU = 1, 2, 3, 4
IDENTITY = 2  # of the output


@functools.cache
def _built(folder: Path) -> Program:
    folder.mkdir()
    return build(folder, {"main.c": MAIN})


def build_driver(folders: pytest.TempPathFactory) -> Program:
    """The program, compiled once in a session."""
    return _built(folders.getbasetemp() / "td")


class Answer:
    """What the program wrote, read from its beginning."""

    def __init__(self, out: bytes) -> None:
        self.out = memoryview(out)

    def take(self, form: str, n: int = 1) -> np.ndarray:
        """The next n numbers."""
        array = np.frombuffer(self.out, form, n)
        self.out = self.out[array.nbytes :]
        return array

    def status(self) -> int:
        """The next number."""
        return int(self.take("<i4")[0])


@dataclass
class Agent:
    """A network that is drawn on the device, and the commands it is given."""

    sizes: Sequence[int]
    epsilon: float = 4.0
    activation: int = LEAKY
    slope: float = 0.0
    all_relu: int = 0
    output: int = IDENTITY
    seed: int = 1
    batch: int = 1
    momentum: float = 0.9
    target: int = 1
    commands: list[bytes] = field(default_factory=list)

    def step(self, x, action, reward, following, terminal, *, rate=0.01, gamma=0.9, clip=0.0, twice=0) -> None:
        """ts_td_step; its status and the loss are answered."""
        arrays = ((x, "<f4"), (following, "<f4"), (reward, "<f4"), (action, "<u4"), (terminal, "<u4"))
        head = struct.pack("<IIffIf", 1, len(reward), gamma, clip, twice, rate)
        self.commands.append(head + b"".join(np.asarray(a, form).tobytes() for a, form in arrays))

    def copy(self, share: float) -> None:
        """ts_td_copy; its status is answered."""
        self.commands.append(struct.pack("<If", 2, share))

    def evolve(self, zeta: float, how: int) -> None:
        """ts_train_evolve; the number replaced is answered."""
        self.commands.append(struct.pack("<IfI", 3, zeta, how))

    def show(self) -> None:
        """The layers are answered: see `layers`."""
        self.commands.append(struct.pack("<I", 4))

    def act(self, x: np.ndarray, epsilon: float, steps: int) -> None:
        """As many actions are answered."""
        self.commands.append(struct.pack("<If", 5, epsilon) + np.asarray(x, "<f4").tobytes() + struct.pack("<I", steps))

    def run(self, program: Program) -> Answer:
        """What the program answers, its first status that of ts_train_draw."""
        n = len(self.sizes)
        head = struct.pack(f"<II{n}I", 0, n, *self.sizes)
        head += struct.pack(
            "<fIfIIII", self.epsilon, self.activation, self.slope, self.all_relu, self.output, self.seed, self.batch
        )
        head += struct.pack("<fI", self.momentum, self.target)
        return Answer(program.run(head + b"".join(self.commands)))

    def layers(self, answer: Answer) -> list[tuple[Layer, np.ndarray, np.ndarray]]:
        """What `show` answers: each layer in dense form, its biases and those of the target network."""
        shown = []
        for n_in, n_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            count = int(answer.take("<u4")[0])
            start, index, weight = answer.take("<u4", n_in + 1), answer.take("<u2", count), answer.take("<f4", count)
            velocity = answer.take("<f4", count) if self.momentum else np.zeros(count, np.float32)
            target = answer.take("<f4", count) if self.target else np.zeros(count, np.float32)
            bias_target = answer.take("<f4", n_out) if self.target else np.zeros(n_out, np.float32)
            place = np.repeat(np.arange(n_in), np.diff(start)) * n_out + index
            assert (np.diff(place) > 0).all()
            there = np.zeros((n_in, n_out), bool)
            there.ravel()[place] = True
            dense = [np.zeros((n_in, n_out), np.float32) for _ in range(3)]
            for full, array in zip(dense, (weight, velocity, target), strict=True):
                full.ravel()[place] = array
            shown.append((Layer(there, *dense), answer.take("<f4", n_out), bias_target))
        return shown
