"""Counts of paths against enumerating them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis


@pytest.mark.parametrize("seed", range(4))
def test_effective_paths_small_network_equal_enumeration(seed):
    net = network(seed=seed)
    a, b, c = patterns(net)
    counted = np.zeros((8, 3))
    for i, h, k, o in itertools.product(range(8), range(10), range(9), range(3)):
        counted[i, o] += a[h, i] and b[k, h] and c[o, k]
    paths = analysis.effective_paths(net)
    with np.errstate(divide="ignore"):
        assert paths.total == pytest.approx(np.log10(counted.sum()))
        np.testing.assert_allclose(paths.from_input, np.log10(counted.sum(axis=1)), atol=1e-12)
        np.testing.assert_allclose(paths.to_output, np.log10(counted.sum(axis=0)), atol=1e-12)


def test_effective_paths_beyond_float64_range_are_counted():
    net = ts.SparseMLP([100] * 220, epsilon=100)
    assert analysis.effective_paths(net).total == pytest.approx(220 * 2)


def test_effective_paths_without_connections_are_minus_infinity():
    paths = analysis.effective_paths(ts.SparseMLP.from_matrices([np.zeros((4, 3))]))
    assert paths.total == -np.inf
    assert paths.from_input.tolist() == [-np.inf] * 3
    assert paths.to_output.tolist() == [-np.inf] * 4


def test_stored_zero_weights_are_connections_of_a_path():
    net = network()
    zeroed = ts.SparseMLP.from_matrices([layer.weight * (number != 1) for number, layer in enumerate(net.layers)])
    assert zeroed.n_connections == net.n_connections
    assert analysis.effective_paths(zeroed).total == analysis.effective_paths(net).total


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_each_connection_of_a_skip_layer_is_a_path(density):
    net = ts.SparseMLP((8, 10, 3), epsilon=1, skip=True, skip_density=density, seed=1)
    a, b, skip = (layer.connectivity.pattern().toarray().astype(int) for layer in net.layers)
    counted = b @ a + skip
    paths = analysis.effective_paths(net)
    with np.errstate(divide="ignore"):
        assert paths.total == pytest.approx(np.log10(counted.sum()))
        np.testing.assert_allclose(paths.from_input, np.log10(counted.sum(axis=0)), atol=1e-12)
        np.testing.assert_allclose(paths.to_output, np.log10(counted.sum(axis=1)), atol=1e-12)
