"""Dead and duplicate neurons against dense matrices."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis


def test_dead_neurons_without_inputs_or_outputs_are_marked():
    net = network(0.4, seed=3, activation="relu")
    a, b, c = patterns(net)
    expected = [~a.any(axis=1) | ~b.any(axis=0), ~b.any(axis=1) | ~c.any(axis=0)]
    for dead, mask in zip(analysis.dead_neurons(net), expected, strict=True):
        np.testing.assert_array_equal(dead, mask)


def test_dead_neurons_on_samples_includes_inactive_ones():
    net = network(4.0, seed=3, activation="relu")
    net.layers[0].bias[:] = -100
    assert not analysis.dead_neurons(net)[0].all()
    assert analysis.dead_neurons(net, np.ones((5, 8)))[0].all()


def test_duplicate_neurons_same_inputs_give_the_first():
    matrix = np.array([[1, 0, 2], [0, 0, 0], [3, 0, 4], [1, 1, 0], [0, 0, 0], [5, 6, 0]])
    con = ts.SparseMLP.from_matrices([matrix]).layers[0].connectivity
    np.testing.assert_array_equal(analysis.duplicate_neurons(con), [0, 1, 0, 3, 1, 3])
