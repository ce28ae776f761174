"""Neurons removed for good: the function stays the same where it must, and arrays shrink."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from own_activations import Softsign
from pruning.networks import dense, naive_prune, network
from trulysparse.nn.activations import NAMES
from trulysparse.pruning.remove_neurons import remove_neurons

ACTIVATIONS = [*NAMES, Softsign()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(6))
def test_remove_neurons_idle_ones_only_keeps_the_function(seed, activation, dtype):
    net = network(seed, activation=activation, dtype=dtype, epsilon=(0.3, 0.6, 1.5)[seed % 3])
    X = np.random.default_rng(seed).standard_normal((50, 20))
    before, hidden = net.decision_function(X), sum(net.layer_sizes[1:-1])
    removed = sum(int((~mask).sum()) for mask in remove_neurons(net))
    assert removed == hidden - sum(net.layer_sizes[1:-1])
    assert removed > 0
    np.testing.assert_allclose(net.decision_function(X), before, rtol=1e-5, atol=1e-5)
    for number, layer in enumerate(net.layers):
        check_invariants(layer.connectivity)
        assert (layer.n_in, layer.n_out) == net.layer_sizes[number : number + 2]
        assert len(layer.bias) == layer.n_out
        assert len(layer.values) == layer.n_connections
    for number, layer in enumerate(net.layers[:-1]):
        if layer.n_out > 1:
            assert (np.diff(layer.connectivity.by_output.ptr) > 0).all()
            assert (np.diff(net.layers[number + 1].connectivity.by_input.ptr) > 0).all()
    assert all(mask.all() for mask in remove_neurons(net))


def test_remove_neurons_all_of_them_leaves_a_constant():
    """All hidden neurons without inputs: outputs are constants, one neuron per layer remains."""
    net = network(0)
    X = np.random.default_rng(0).standard_normal((5, 20))
    weights, biases = dense(net), [layer.bias.astype(float) for layer in net.layers]
    function = naive_prune(weights, biases, 100, 0.6, [np.ones(40)])
    before = function(X)
    remove_neurons(net, None, [np.zeros(40, bool), np.ones(30, bool), np.ones(25, bool)])
    assert net.layer_sizes == (20, 1, 1, 1, 4)
    assert net.n_connections == 0
    np.testing.assert_allclose(net.decision_function(X), before, rtol=1e-5, atol=1e-5)


def test_remove_neurons_layer_of_one_constant_counts_once():
    """It remains, but its constant must not count twice."""
    net = ts.SparseMLP.from_matrices([np.zeros((1, 3)), np.ones((2, 1))], [[2.0], [0.5, 0.0]], activation="relu")
    X = np.ones((4, 3))
    before = net.decision_function(X)
    np.testing.assert_allclose(before, [[2.5, 2.0]] * 4)
    for _ in range(2):
        assert all(mask.all() for mask in remove_neurons(net))
        np.testing.assert_allclose(net.decision_function(X), before)
    assert net.layer_sizes == (3, 1, 2)
