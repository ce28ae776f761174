"""Snapshots of layers as arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.training.callbacks import snapshots

FORMS = [{}, {"dtype": "float64"}, {"storage": "compact"}, {"storage": "compact", "weights": "bfloat16"}]


def network(seed=0, **form):
    return ts.SparseMLP((9, 20, 7, 3), epsilon=2, seed=seed, threads=1, **form)


@pytest.mark.parametrize("form", FORMS)
def test_snapshots_come_back_from_their_arrays(form):
    net, other = network(**form), network(seed=1, **form)
    state = snapshots.to_state([layer.snapshot() for layer in net.layers])
    json.dumps({name: value for name, value in state.items() if not isinstance(value, np.ndarray)})
    for layer, snapshot in zip(other.layers, snapshots.from_state(state, other), strict=True):
        layer.restore(snapshot)
    for a, b in zip(net.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.weight.toarray(), b.weight.toarray())
        np.testing.assert_array_equal(a.bias, b.bias)


def test_no_snapshot_is_none():
    assert snapshots.from_state({"best": 1.0}, network()) is None


@pytest.mark.parametrize("form", [{}, {"storage": "compact"}])
def test_damaged_snapshots_are_refused(form):
    net = network(**form)
    whole = snapshots.to_state([layer.snapshot() for layer in net.layers])
    for change in (
        {"1.weight": whole["1.weight"][:-1]},
        {"1.weight": whole["1.weight"].astype(np.float64)},
        {"1.bias": np.zeros(3, np.float32)},
        {"1.index": whole["1.index"][::-1].copy()},
        {"layers": whole["layers"][:2]},
        {"layers": [[9, 20, 0], [20, -7, 0], [7, 3, 0]]},
    ):
        with pytest.raises(ts.InputError):
            snapshots.from_state(whole | change, net)
