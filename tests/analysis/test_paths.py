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
    through = a.sum(axis=1) * b.sum(axis=0) > 0
    effective = analysis.effective_connections(net)
    assert effective.layers == (a[through].sum(), b[:, through].sum(), skip.sum())


@pytest.mark.parametrize("epsilon", [0.3, 0.6, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_effective_connections_equal_enumerated_paths(seed, epsilon):
    net = network(epsilon, seed=seed)
    a, b, c = patterns(net)
    on_path = [np.zeros_like(each) for each in (a, b, c)]
    for i, h, k, o in itertools.product(range(8), range(10), range(9), range(3)):
        if a[h, i] and b[k, h] and c[o, k]:
            on_path[0][h, i] = on_path[1][k, h] = on_path[2][o, k] = True
    effective = analysis.effective_connections(net)
    assert effective.layers == tuple(int(each.sum()) for each in on_path)
    assert effective.of == tuple(layer.n_connections for layer in net.layers)
    assert effective.share == pytest.approx(sum(each.sum() for each in on_path) / net.n_connections)
    assert effective.shares == pytest.approx([n / of for n, of in zip(effective.layers, effective.of, strict=True)])


@pytest.mark.parametrize(
    ("density", "share"), [(0.01, 0.998), (0.005, 0.945), (0.002, 0.55), (0.001, 0.16), (0.0005, 0.03)]
)
def test_most_connections_of_a_very_sparse_random_start_lie_on_no_path(density, share):
    """The shares that were measured with the first version of this study."""
    nets = [ts.SparseMLP((784, 1000, 1000, 1000, 10), density=density, seed=seed) for seed in range(3)]
    found = np.mean([analysis.effective_connections(net).share for net in nets])
    assert found == pytest.approx(share, abs=0.03)


def test_effective_connections_of_networks_without_any():
    net = ts.SparseMLP.from_matrices([np.zeros((4, 3)), np.ones((2, 4))])
    effective = analysis.effective_connections(net)
    assert (effective.layers, effective.share, effective.shares) == ((0, 0), 0.0, (1.0, 0.0))


def test_effective_connections_need_the_index():
    net = ts.SparseMLP((20, 10, 3), epsilon=2, storage="compact")
    with pytest.raises(ts.InputError, match="storage='indexed'"):
        analysis.effective_connections(net)
    assert analysis.effective_connections(net.indexed()).share > 0
