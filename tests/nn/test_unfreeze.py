"""The network that a frozen one was made from comes back bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.nn.unfreeze import unfreeze

SETTINGS = [
    {},
    {"dtype": "float64", "activation": "tanh"},
    {"skip": True, "init": "uniform", "fan": "sparse", "balance": False},
    {"bias": False, "epsilon": (2, 3, 1)},
    {"density": 1.0},
    {"epsilon": 0.2},  # rows without connections
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_bit_for_bit(settings, rng):
    net = ts.SparseMLP((30, 50, 20, 7), seed=1, **settings)
    net.scaling = fit_scaling("standard", as_matrix(rng.random((9, 30))))
    net.labels = np.array(list("abcdefg"))
    frozen = net.freeze()
    for _ in range(2):
        same = unfreeze(frozen)
        assert same.settings == net.settings or same.threads == frozen.threads
        assert (same.layer_sizes, same.epsilon, same.init) == (net.layer_sizes, net.epsilon, net.init)
        assert same.scaling is net.scaling
        assert same.labels is net.labels
        for layer, other in zip(same.layers, net.layers, strict=True):
            check_invariants(layer.connectivity)
            for name in ("ptr", "index"):
                for rows in ("by_input", "by_output"):
                    ours, theirs = (getattr(each.connectivity, rows) for each in (layer, other))
                    np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            assert layer.values.tobytes() == other.values.tobytes()
            assert layer.bias.tobytes() == other.bias.tobytes()
            assert layer.activation == other.activation
        for layer in net.layers:  # and after a refresh
            layer.values[:] = rng.standard_normal(layer.n_connections)
        frozen.refresh(net)


def test_tied_ends_stay_tied(rng):
    net = ts.SparseMLP((9, 4, 9), epsilon=1, tied=True, output="identity", seed=0)
    same = unfreeze(net.freeze())
    assert same.tied
    X = rng.random((5, 9))
    np.testing.assert_array_equal(same.decision_function(X), net.decision_function(X))
