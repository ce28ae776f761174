"""Distances of topologies against all matchings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis


def test_topology_distance_permuted_network_is_zero():
    net = network(2.0, (12, 15, 11, 4), seed=1)
    random = np.random.default_rng(0)
    hidden = [random.permutation(15), random.permutation(11)]
    w = [layer.weight.toarray() for layer in net.layers]
    shuffled = ts.SparseMLP.from_matrices(
        [w[0][hidden[0]], w[1][hidden[1]][:, hidden[0]], w[2][:, hidden[1]]], activation="relu"
    )
    distance = analysis.topology_distance(net, shuffled)
    assert distance.mean == pytest.approx(0)
    assert analysis.topology_distance(net, net).mean == 0


def test_topology_distance_other_seed_is_between_zero_and_one():
    first, second = (network(2.0, (12, 15, 11, 4), seed=seed) for seed in (1, 2))
    assert 0.2 < analysis.topology_distance(first, second).mean < 1


def test_topology_distance_other_sizes_is_refused():
    net = network(2.0, (12, 15, 11, 4), seed=1)
    with pytest.raises(ts.InputError, match="differ in size"):
        analysis.topology_distance(net, network())


def test_topology_distance_matching_is_the_least_of_all():
    a, b = network(1.5, (6, 5, 2), seed=1), network(1.5, (6, 5, 2), seed=2)
    first, second = patterns(a)[0], patterns(b)[0]

    def cost(order):
        pairs = [(first[i], second[j]) for i, j in enumerate(order)]
        return sum(1 - (x & y).sum() / max(1, (x | y).sum()) if (x | y).any() else 1 for x, y in pairs) / 5

    best = min(cost(order) for order in itertools.permutations(range(5)))
    assert analysis.topology_distance(a, b).layers[0] == pytest.approx(best)


def test_a_skip_layer_is_compared_place_by_place():
    first, second = (ts.SparseMLP((8, 6, 3), epsilon=3, skip=True, skip_density=0.5, seed=seed) for seed in (1, 2))
    assert analysis.topology_distance(first, first).mean == 0
    distance = analysis.topology_distance(first, second)
    a, b = (net.skip_layer.connectivity.pattern().toarray() > 0 for net in (first, second))
    expected = 1 - (a & b).sum(axis=1) / (a | b).sum(axis=1)
    assert distance.layers[-1] == pytest.approx(expected.mean())
    without = ts.SparseMLP((8, 6, 3), epsilon=1, seed=1)
    with pytest.raises(ts.InputError, match="differ in size"):
        analysis.topology_distance(first, without)
