"""Percolation against repeated removal in NumPy until nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.evolution.percolation import percolate

FIXED = 1


def network(sizes=(30, 40, 25, 35, 10), epsilon=1.0, seed=0):
    return ts.SparseMLP(sizes, epsilon=epsilon, seed=seed)


def dense(layer, keep_mask):
    """(n_in, n_out): where connections remain."""
    rows = layer.connectivity.by_input
    out = np.zeros((layer.n_in, layer.n_out), bool)
    out[np.repeat(np.arange(layer.n_in), np.diff(rows.ptr)), rows.index] = keep_mask != 0
    return out


def to_a_fixed_point(matrices, evolves):
    matrices = [m.copy() for m in matrices]
    while True:
        before = [m.copy() for m in matrices]
        for below, above in zip(range(len(matrices) - 1), range(1, len(matrices)), strict=True):
            if evolves[below]:
                matrices[below][:, ~matrices[above].any(axis=1)] = False
            if evolves[above]:
                matrices[above][~matrices[below].any(axis=0)] = False
        if all(np.array_equal(a, b) for a, b in zip(before, matrices, strict=True)):
            return matrices


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("fixed", [(), (3,), (0,), (FIXED,), (1, 3)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95, 1.0])
def test_reaches_the_fixed_point(share, fixed, threads):
    net = network()
    rng = np.random.default_rng(1)
    masks = [
        None if number in fixed else (rng.random(layer.n_connections) < share).astype(np.uint8)
        for number, layer in enumerate(net.layers)
    ]
    full = [
        np.ones(layer.n_connections, np.uint8) if m is None else m for layer, m in zip(net.layers, masks, strict=True)
    ]
    matrices = [dense(layer, mask) for layer, mask in zip(net.layers, full, strict=True)]
    expected = to_a_fixed_point(matrices, [mask is not None for mask in masks])
    cleared = percolate(net.layers, masks, threads)
    after = [
        np.ones(layer.n_connections, np.uint8) if m is None else m for layer, m in zip(net.layers, masks, strict=True)
    ]
    for layer, mask, wanted in zip(net.layers, after, expected, strict=True):
        np.testing.assert_array_equal(dense(layer, mask), wanted)
    assert cleared == [int(a.sum() - b.sum()) for a, b in zip(matrices, expected, strict=True)]


def test_large_layers_same_for_any_threads():
    results = []
    for threads in (1, 2, 3):
        net = network((20_000, 30_000, 20_000, 10), 3.0)
        masks = [(np.random.default_rng(0).random(layer.n_connections) < 0.5).astype(np.uint8) for layer in net.layers]
        cleared = percolate(net.layers, masks, threads)
        assert all(cleared)
        results.append((cleared, [mask.tobytes() for mask in masks]))
    assert results[0] == results[1] == results[2]


def test_one_layer_has_nothing_to_clear():
    layer = network().layers[0]
    mask = np.zeros(layer.n_connections, np.uint8)
    assert percolate([layer], [mask], 1) == [0]
    assert percolate([], [], 1) == []


def test_layers_that_do_not_follow_are_refused():
    net = network()
    with pytest.raises(ts.InputError, match="must follow one another"):
        percolate([net.layers[0], net.layers[2]], [None, None], 1)
    with pytest.raises(ts.InputError, match="one mask, or None, for each of 4 layers"):
        percolate(net.layers, [None], 1)
