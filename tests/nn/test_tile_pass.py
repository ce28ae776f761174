"""One tile through a network: prepared calls that follow the arrays, and whether layers are those that were checked."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.sinks import Gradients, InputGradient, Update
from trulysparse.nn.tile_pass import CheckedLayers, TilePass


@pytest.fixture
def net():
    return ts.SparseMLP((5, 9, 7, 3), epsilon=3, output="identity", dtype="float64", seed=1)


def loaded(net, X):
    tile = TilePass(net, net.workspace().signals(len(X), 1.0))
    tile.signals[0].values[:] = 0
    tile.signals[0].values[:, : len(X)] = X.T
    return tile


def output(tile, n):
    tile.forward(0, 2)
    return tile.signals[-1].values[:, :n].T.copy()


def test_whatever_is_replaced_the_next_pass_uses_the_new_one(net, rng):
    X = rng.standard_normal((6, 5))
    tile = loaded(net, X)
    np.testing.assert_allclose(output(tile, 6), net.decision_function(X), rtol=1e-12)
    calls = tile.forward_calls()
    assert tile.forward_calls() is calls
    net.layers[1].values = net.layers[1].values + 1
    np.testing.assert_allclose(output(tile, 6), net.decision_function(X), rtol=1e-12)
    net.layers[0].bias = net.layers[0].bias + 1
    np.testing.assert_allclose(output(tile, 6), net.decision_function(X), rtol=1e-12)
    net.layers[2] = ts.SparseMLP((7, 3), epsilon=1, dtype="float64", seed=9).layers[0]
    np.testing.assert_allclose(output(tile, 6), net.decision_function(X), rtol=1e-12)
    tile.signals[0] = type(tile.signals[0])(np.zeros_like(tile.signals[0].values))
    np.testing.assert_allclose(output(tile, 6), net.decision_function(0 * X), rtol=1e-12)


def test_backward_calls_follow_state_and_gradients(net, rng):
    X, dy = rng.standard_normal((8, 5)), rng.standard_normal((3, 8))
    twin, optimizer = net.copy(), ts.SGD(0.1, 0.9)
    tile, twin_tile = loaded(net, X), loaded(twin, X)
    state, twin_state = ([layer.new_state(optimizer) for layer in each.layers] for each in (net, twin))
    rule = optimizer.rule(0, 0.0, None)
    for _ in range(2):
        tile.forward(0, 1)
        tile.backward(dy, Update(state, rule), 1)
        twin_tile.forward(0, 1)
        arrays = [layer.new_gradient() for layer in twin.layers]  # other arrays each time
        twin_tile.backward(dy, Gradients(arrays), 1)
        Update(twin_state, rule).apply(twin.layers, arrays, 1)
    for a, b in zip(net.layers, twin.layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-12)
    state[0].weight[0] = np.ones_like(state[0].weight[0])
    before = net.layers[0].values.copy()
    tile.forward(0, 1)
    tile.backward(np.zeros_like(dy), Update(state, rule), 1)
    np.testing.assert_allclose(net.layers[0].values, before + 0.9, rtol=1e-12)  # the new momentum


def test_earlier_gradients_are_part_of_the_update(net, rng):
    X, dy, optimizer = rng.standard_normal((8, 5)), rng.standard_normal((3, 8)), ts.SGD(0.1, 0.0)
    state, rule = [layer.new_state(optimizer) for layer in net.layers], optimizer.rule(0, 0.0, None)
    earlier = [(rng.standard_normal(a.n_connections), rng.standard_normal(a.n_out)) for a in net.layers]
    tile, before = loaded(net, X), [(layer.values.copy(), layer.bias.copy()) for layer in net.layers]
    tile.forward(0, 1)
    own = [layer.new_gradient() for layer in net.layers]
    tile.backward(dy, Gradients(own), 1)
    tile.forward(0, 1)
    tile.backward(dy, Update(state, rule, gradients=earlier), 1)
    for layer, (values, bias), (w, b), (w0, b0) in zip(net.layers, before, own, earlier, strict=True):
        np.testing.assert_allclose(layer.values, values - 0.1 * (w + w0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(layer.bias, bias - 0.1 * (b + b0), rtol=1e-10, atol=1e-12)


def test_input_gradient_alone_changes_no_parameter(net, rng):
    X, dy = rng.standard_normal((8, 5)), rng.standard_normal((3, 8))
    tile, wanted = loaded(net, X), np.empty((5, 8))
    before = [layer.values.copy() for layer in net.layers]
    tile.forward(0, 1)
    tile.backward(dy, Gradients([layer.new_gradient() for layer in net.layers]), 1, wanted)
    found = np.empty((5, 8))
    tile.forward(0, 1)
    tile.backward(dy, InputGradient(), 1, found)
    np.testing.assert_array_equal(found, wanted)
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("take", [copy.deepcopy, lambda tile: pickle.loads(pickle.dumps(tile))])
def test_copies_prepare_their_own_calls(net, rng, take):
    X = rng.standard_normal((6, 5))
    tile = loaded(net, X)
    wanted = output(tile, 6)
    twin = take(tile)
    net.layers[0].values[:] = 0
    np.testing.assert_array_equal(output(twin, 6), wanted)


def test_checked_layers_tell_what_was_replaced(net):
    checked = CheckedLayers(net)
    assert checked.are(net)
    assert not CheckedLayers().are(net)
    for change in (
        lambda: setattr(net.layers[0], "values", net.layers[0].values.copy()),
        lambda: setattr(net.layers[1], "bias", net.layers[1].bias.copy()),
        lambda: setattr(net, "scaling", ts.data.Scaling("standard", np.zeros(5), np.ones(5))),
        net.layers.pop,
    ):
        assert checked.are(net)
        change()
        assert not checked.are(net)
        checked = CheckedLayers(net)
