"""Optimizer state: copies, and the arrays that the kernels get."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.optim import OptimizerState


def test_copy_has_arrays_of_its_own():
    state = OptimizerState([np.ones(3)], [np.ones(2)])
    twin = state.copy()
    twin.weight[0][:] = 5
    twin.bias[0][:] = 5
    assert state.weight[0].tolist() == [1, 1, 1]
    assert state.bias[0].tolist() == [1, 1]


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
