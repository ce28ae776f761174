"""What compression left out, on topologies that evolve."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from parallel_helpers import values_by_coordinates
from trulysparse.parallel.residuals import Residuals, from_arrays, to_arrays


def evolved(seed=0):
    net = ts.SparseMLP((6, 20, 16, 3), epsilon=3, seed=seed, dtype="float64", threads=1)
    before = list(net.with_layers(net.layers).copy().layers)
    ts.Trainer(net, evolution=ts.SET(0.4)).evolve()
    return before, net.layers


def parts(layers, rng):
    return [rng.standard_normal(layer.n_connections) for layer in layers]


def test_residuals_of_connections_that_are_gone_are_dropped_and_those_of_new_ones_are_zero(rng):
    old, new = evolved()
    residuals, values = Residuals(old), parts(old, rng)
    residuals.keep(values, 4)
    there = residuals.on(new)[4]
    gradient = [np.zeros(layer.n_connections) for layer in old]
    residuals.add_to(gradient, 4)
    for a, b in zip(gradient, values, strict=True):
        np.testing.assert_array_equal(a, b)  # `on` changes nothing
    residuals.follow(new)
    for k, (before, after) in enumerate(zip(old, new, strict=True)):
        own = values_by_coordinates(before.connectivity, values[k])
        found = values_by_coordinates(after.connectivity, there[k])
        assert found == {place: own.get(place, 0.0) for place in found}
        np.testing.assert_array_equal(residuals.on(new)[4][k], there[k])


def test_residuals_go_where_neurons_have_gone(rng):
    old, _ = evolved()
    net = ts.SparseMLP((6, 20, 16, 3), epsilon=3, dtype="float64", threads=1).with_layers(old)
    residuals = Residuals(old, {0: parts(old, rng)})
    ts.prune_neurons(net, 30)
    assert residuals.on(net.layers) == {}


def test_arrays_of_a_checkpoint_hold_the_sum_of_what_workers_have(rng):
    layers, _ = evolved()
    a, b, c = (parts(layers, rng) for _ in range(3))
    arrays = to_arrays([Residuals(layers, {0: a, 2: b}), Residuals(layers, {2: c})], layers)
    found = from_arrays(arrays | {"other": np.zeros(1)}, len(layers))
    assert list(found) == [0, 2]
    for k in range(3):
        np.testing.assert_array_equal(found[0][k], a[k])
        np.testing.assert_array_equal(found[2][k], b[k] + c[k])
