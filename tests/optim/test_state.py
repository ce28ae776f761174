"""Optimizer state: copies, and the arrays that the kernels get."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts
from conftest import narrowed
from trulysparse._core.arrays import widened
from trulysparse.optim import OptimizerState


def test_copy_has_arrays_of_its_own():
    state = OptimizerState([np.ones(3)], [np.ones(2)])
    twin = state.copy()
    twin.weight[0][:] = 5
    twin.bias[0][:] = 5
    assert state.weight[0].tolist() == [1, 1, 1]
    assert state.bias[0].tolist() == [1, 1]


def test_copy_and_pickle_keep_what_new_connections_get():
    layer = ts.SparseMLP((10, 20, 3), epsilon=2).layers[0]
    state = layer.new_state(ts.Adam(fresh_state="typical"))
    assert state.fresh == state.copy().fresh == pickle.loads(pickle.dumps(state)).fresh == ("zero", "median")
    assert layer.new_state(ts.Adam(fresh_state="zero")).fresh == ("zero", "zero")
    assert layer.new_state(ts.SGD()).fresh == ()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("size", [1, 2, 9, 10, 1000])
def test_fresh_values_are_the_median_of_numpy_over_what_remains(rng, dtype, size):
    first, second = (rng.normal(size=size).astype("float32" if dtype == "bfloat16" else dtype) for _ in range(2))
    held = [narrowed(a) if dtype == "bfloat16" else a for a in (first, second)]
    keep_mask = (rng.random(size) < 0.6).astype(np.uint8)
    keep_mask[0] = 1
    wanted = np.median(widened(held[1])[keep_mask > 0].astype(np.float64))
    for threads in (1, 2):
        state = OptimizerState(held, [], ("zero", "median"))
        zero, median = state.fresh_values(keep_mask, threads)
        assert zero == 0
        assert median == pytest.approx(wanted, rel=1e-7)


def test_fresh_values_where_nothing_remains_are_zero():
    state = OptimizerState([np.ones(3), np.ones(3)], [], ("median", "median"))
    assert state.fresh_values(np.zeros(3, np.uint8)) == [0, 0]
    assert OptimizerState([], []).fresh_values(np.ones(3, np.uint8)) == []
    assert OptimizerState([np.ones(3)], []).fresh_values(np.ones(3, np.uint8)) == [0]


def test_padded_fills_what_is_missing_with_none():
    a, b, c, d = (np.zeros(1) for _ in range(4))
    assert OptimizerState([], []).padded() == (None, None, None, None)
    assert OptimizerState([a], [b]).padded() == (a, None, b, None)
    w0, w1, b0, b1 = OptimizerState([a, b], [c, d]).padded()
    assert w0 is a
    assert w1 is b
    assert b0 is c
    assert b1 is d


@pytest.mark.parametrize(("optimizer", "slots"), [(ts.SGD(0.1, 0.0), 0), (ts.SGD(0.1), 1), (ts.Adam(), 2)])
@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_new_state_has_a_value_per_slot_and_parameter(optimizer, slots, storage):
    layer = ts.SparseMLP((10, 20, 3), epsilon=2, storage=storage).layers[0]
    state = layer.new_state(optimizer)
    assert [a.shape for a in state.weight] == [(60,)] * slots
    assert [a.shape for a in state.bias] == [(20,)] * slots
    assert not any(a.any() for a in [*state.weight, *state.bias])
