"""Dead and duplicate neurons against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("epsilon", [0.3, 0.5, 1.0])
def test_dead_neurons_are_those_that_no_product_of_connections_passes_through(seed, epsilon):
    net = network(epsilon, seed=seed, activation="relu")
    a, b, c = (pattern.astype(int) for pattern in patterns(net))
    first = (a.sum(axis=1) * (c @ b).sum(axis=0)) == 0
    second = ((b @ a).sum(axis=1) * c.sum(axis=0)) == 0
    for dead, mask in zip(analysis.dead_neurons(net), (first, second), strict=True):
        np.testing.assert_array_equal(dead, mask)


def test_dead_neurons_are_those_that_pruning_removes():
    net = ts.SparseMLP((100, 80, 60, 5), epsilon=0.6, seed=0, activation="relu")
    alive = [int((~mask).sum()) for mask in analysis.dead_neurons(net)]
    ts.prune_neurons(net, percentile=0)
    assert [max(1, n) for n in alive] == list(net.layer_sizes[1:-1])


def test_dead_neurons_on_samples_includes_inactive_ones():
    net = network(4.0, seed=3, activation="relu")
    net.layers[0].bias[:] = -100
    assert not analysis.dead_neurons(net)[0].all()
    assert analysis.dead_neurons(net, np.ones((5, 8)))[0].all()


def test_duplicate_neurons_same_inputs_give_the_first():
    matrix = np.array([[1, 0, 2], [0, 0, 0], [3, 0, 4], [1, 1, 0], [0, 0, 0], [5, 6, 0]])
    con = ts.SparseMLP.from_matrices([matrix]).layers[0].connectivity
    np.testing.assert_array_equal(analysis.duplicate_neurons(con), [0, 1, 0, 3, 1, 3])
