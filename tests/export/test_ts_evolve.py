"""ts_evolve.h: evolution in place against a naive one, invariants, and whether growth is uniform."""

from __future__ import annotations

import struct
from math import comb

import numpy as np
import pytest
from scipy import stats

from export.c_host import Program, build
from export.evolution_reference import (
    FRESH_INIT,
    MAGNITUDE,
    MASK,
    SET,
    Layer,
    draw_places,
    he_limit,
    key,
)

# Reads cases, evolves each in arrays of exactly its size, and writes what became of them.
MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "ts_evolve.h"

static void* read_array(size_t bytes) {
    void* array = malloc(bytes ? bytes : 1);
    if (!array || fread(array, 1, bytes, stdin) != bytes) exit(2);
    return array;
}

int main(void) {
    uint32_t head[10];
    float zeta;
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head) && fread(&zeta, 1, 4, stdin) == 4) {
        const uint32_t n_in = head[0], n_out = head[1], count = head[2], kind = head[3], times = head[8];
        ts_layer l = {0};
        size_t size = kind == TS_NO_VELOCITY ? 0 : kind == TS_FLOAT32 ? 4 : 2;
        uint32_t replaced = 0;
        l.n_in = n_in, l.n_out = n_out, l.count = count;
        l.start = read_array((n_in + 1) * sizeof(uint32_t));
        l.index = read_array(count * sizeof(uint16_t));
        l.weight = read_array(count * sizeof(float));
        l.velocity = size ? read_array(count * size) : NULL;
        l.target = head[7] ? read_array(count * sizeof(float)) : NULL;
        if (head[9]) { /* from the same start each time: the places alone, as bits */
            for (uint32_t n = 0; n < times; ++n) {
                uint32_t words[TS_EVOLVE_WORDS], bits = 0, start[40];
                uint16_t index[40];
                memcpy(start, l.start, (n_in + 1) * 4);
                memcpy(index, l.index, count * 2);
                ts_grow(&l, kind, l.start[n_in], 0, head[5] + n, 0, words);
                for (uint32_t row = 0; row < n_in; ++row)
                    for (uint32_t k = l.start[row]; k < l.start[row + 1]; ++k) bits |= 1u << (row * n_out + l.index[k]);
                fwrite(&bits, 4, 1, stdout);
                memcpy(l.start, start, (n_in + 1) * 4);
                memcpy(l.index, index, count * 2);
            }
        } else {
            for (uint32_t n = 0; n < times; ++n)
                replaced += ts_layer_evolve(&l, kind, zeta, head[4], head[5] + n, head[6] + n);
            fwrite(&replaced, 4, 1, stdout);
            fwrite(l.start, 4, n_in + 1, stdout);
            fwrite(l.index, 2, count, stdout);
            fwrite(l.weight, 4, count, stdout);
            if (size) fwrite(l.velocity, size, count, stdout);
            if (l.target) fwrite(l.target, 4, count, stdout);
        }
        free(l.start), free(l.index), free(l.weight), free(l.velocity), free(l.target);
    }
    return 0;
}
"""
NO_VELOCITY, FLOAT32, BFLOAT16 = 0, 1, 2
TYPES = {NO_VELOCITY: None, FLOAT32: "<f4", BFLOAT16: "<u2"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(tmp_path_factory.mktemp("evolve"), {"main.c": MAIN}, ("-O2",))


def new_layer(n_in: int, n_out: int, count: int, seed: int, empty_rows: int = 0) -> Layer:
    """A layer whose first rows are empty, with weights of both signs, among them equal ones and zeros."""
    rng = np.random.default_rng(seed)
    there = np.zeros((n_in, n_out), bool)
    there.ravel()[empty_rows * n_out + rng.permutation((n_in - empty_rows) * n_out)[:count]] = True
    weight = rng.standard_normal(there.shape).astype(np.float32)
    weight[rng.random(there.shape) < 0.3] = np.float32(0.25)
    weight[rng.random(there.shape) < 0.2] = 0
    weight[rng.random(there.shape) < 0.1] *= -1  # of zeros too
    velocity = rng.integers(1, 60000, there.shape)
    return Layer(there, weight * there, velocity * there, rng.standard_normal(there.shape).astype(np.float32) * there)


def case(layer: Layer, zeta: float, how: int, kind: int, keys: tuple[int, int], times: int = 1, draw: int = 0) -> bytes:
    """One case as the program reads it."""
    there, count = layer.there, int(layer.there.sum())
    capacity = count + draw
    head = (*there.shape, capacity, kind, how, *keys, 1, times, int(draw > 0))
    start = np.concatenate([[0], np.cumsum(there.sum(1))]).astype("<u4")
    parts = [struct.pack("<10If", *head, zeta), start.tobytes()]
    for array, form in ((np.nonzero(there)[1], "<u2"), (layer.weight[there], "<f4")):
        parts.append(np.concatenate([array, np.zeros(draw)]).astype(form).tobytes())
    if TYPES[kind]:
        parts.append(np.concatenate([layer.velocity[there], np.zeros(draw)]).astype(TYPES[kind]).tobytes())
    parts.append(np.concatenate([layer.target[there], np.zeros(draw)]).astype("<f4").tobytes())
    return b"".join(parts)


def read_layer(out: memoryview, shape: tuple[int, int], count: int, kind: int) -> tuple[int, Layer, memoryview]:
    """A layer that the program wrote, in dense form; rows must be in ascending order."""

    def take(form: str, n: int) -> np.ndarray:
        nonlocal out
        array = np.frombuffer(out, form, n)
        out = out[array.nbytes :]
        return array

    replaced = int(take("<u4", 1)[0])
    start, index = take("<u4", shape[0] + 1), take("<u2", count)
    assert start[0] == 0
    assert start[-1] == count
    assert (np.diff(start.astype(np.int64)) >= 0).all()
    place = np.repeat(np.arange(shape[0]), np.diff(start)) * shape[1] + index
    assert (np.diff(place) > 0).all()
    assert (index < shape[1]).all()
    arrays = [take("<f4", count), take(TYPES[kind], count) if TYPES[kind] else None, take("<f4", count)]
    dense = [np.zeros(shape, np.float64 if array is None else array.dtype) for array in arrays]
    for full, array in zip(dense, arrays, strict=True):
        if array is not None:
            full.ravel()[place] = array
    there = np.zeros(shape, bool)
    there.ravel()[place] = True
    return replaced, Layer(there, *dense), out


SHAPES = [  # n_in, n_out, count, empty rows
    (30, 20, 150, 0),
    (20, 30, 400, 5),
    (8, 9, 72, 0),
    (1, 50, 20, 0),
    (50, 1, 20, 0),
    (1, 1, 1, 0),
    (3, 65536, 500, 1),
    (70000, 2, 900, 0),
    (64, 100, 1640, 0),
    (60, 60, 3500, 0),
    (12, 12, 0, 0),
    (5, 4000, 3000, 0),
]


def test_evolution_is_that_of_the_naive_one_bit_for_bit(program):
    rng = np.random.default_rng(1)
    plans, given = [], []
    for number, (n_in, n_out, count, empty_rows) in enumerate(SHAPES):
        for zeta, how, kind in ((0.3, SET, FLOAT32), (1.0, MAGNITUDE, BFLOAT16), (0.2, MAGNITUDE | FRESH_INIT, 0)):
            layer = new_layer(n_in, n_out, count, number, empty_rows)
            keys = tuple(int(k) for k in rng.integers(0, 2**32, 2))
            plans.append((layer, zeta, how, kind, keys))
            given.append(case(layer, zeta, how, kind, keys))
    out = memoryview(program.run(b"".join(given)))
    moved = 0
    for layer, zeta, how, kind, keys in plans:
        n = int(layer.there.sum())
        replaced, got, out = read_layer(out, layer.there.shape, n, kind)
        before = layer.there.copy()
        assert replaced == layer.evolve(zeta, how, *keys)
        assert (got.there == layer.there).all()
        there = layer.there
        assert got.weight[there].tobytes() == layer.weight[there].tobytes()  # of -0.0 too
        assert got.target[there].tobytes() == layer.target[there].tobytes()
        if kind != NO_VELOCITY:
            assert (got.velocity == layer.velocity.astype(TYPES[kind])).all()
        moved += int((before != layer.there).sum())
    assert len(out) == 0
    assert moved > 5000


@pytest.mark.parametrize("zeta, replaced", [(0.0, 0), (1.0, 150)])
def test_none_and_all(program, zeta, replaced):
    layer = new_layer(30, 20, 150, 3)
    out = memoryview(program.run(case(layer, zeta, SET, FLOAT32, (1, 2))))
    n, got, _ = read_layer(out, (30, 20), 150, FLOAT32)
    assert n == replaced
    assert (got.weight == (0 if replaced else layer.weight)).all()
    assert (got.velocity == (0 if replaced else layer.velocity)).all()


def test_full_layer_stays_unless_new_weights_are_drawn(program):
    layer = new_layer(8, 9, 72, 3)
    both = case(layer, 0.5, SET, FLOAT32, (1, 2)) + case(layer, 0.5, SET | FRESH_INIT, FLOAT32, (1, 2))
    n, same, out = read_layer(memoryview(program.run(both)), (8, 9), 72, FLOAT32)
    m, drawn, _ = read_layer(out, (8, 9), 72, FLOAT32)
    assert n == 0
    assert (same.weight == layer.weight).all()
    assert 30 <= m <= 36
    assert (drawn.weight != layer.weight).sum() == m
    assert np.abs(drawn.weight[drawn.weight != layer.weight]).max() <= np.sqrt(6 / 8)


def test_a_thousand_evolutions(program):
    layer = new_layer(12, 10, 40, 5)
    layer.weight[layer.there] = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    out = memoryview(program.run(case(layer, 0.3, SET | FRESH_INIT, FLOAT32, (7, MASK - 2000), 1000)))
    replaced, got, _ = read_layer(out, (12, 10), 40, FLOAT32)
    assert sum(layer.evolve(0.3, SET | FRESH_INIT, 7 + n, MASK - 2000 + n) for n in range(1000)) == replaced
    assert (got.weight == layer.weight).all()
    assert got.there.sum() == 40


def subsets(program: Program, layer: Layer, n: int, trials: int) -> np.ndarray:
    """What grew in each of many trials, as one number."""
    first = key(5, 3, n, 0)
    out = program.run(case(layer, 0.0, SET, FLOAT32, (first, 0), trials, draw=n))
    before = int(sum(1 << int(place) for place in np.flatnonzero(layer.there)))
    bits = np.frombuffer(out, "<u4")
    assert (bits & before == before).all()
    return bits ^ before


@pytest.mark.parametrize("shape, count, n", [((2, 3), 1, 2), ((4, 7), 2, 3), ((5, 6), 12, 1), ((3, 4), 2, 9)])
def test_every_set_of_empty_places_is_equally_likely(program, shape, count, n):
    layer = new_layer(*shape, count, 2)
    empty = shape[0] * shape[1] - count
    expected = comb(empty, n)
    found, times = np.unique(subsets(program, layer, n, 20 * expected + 2000), return_counts=True)
    assert all(int(each).bit_count() == n for each in found)
    assert len(found) == expected
    assert stats.chisquare(times).pvalue > 1e-3


def test_places_of_a_large_draw_are_uniform():
    places = np.array(draw_places(20_000, 2**32 - 1, key(1, 2, 3, 4)), np.float64)
    assert stats.kstest(places / 2**32, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("n_in", [1, 2, 6, 7, 64, 784, 70000])
def test_limit_of_new_weights(n_in):
    assert he_limit(n_in) == pytest.approx(np.sqrt(6 / n_in), rel=3e-7)
