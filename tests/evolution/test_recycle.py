"""Steps that give dormant neurons a new start, layer by layer in any order."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import arrays_of
from trulysparse.evolution.recycle import dormant_neurons
from trulysparse.nn.activations_buffer import Activations


def silent(dtype="float64", **settings):
    """A network in which some neurons of each hidden layer never fire, and a batch with its activations."""
    net = ts.SparseMLP((12, 20, 15, 3), epsilon=4, activation="relu", dtype=dtype, seed=2, **settings)
    rng = np.random.default_rng(0)
    for layer, quiet in ((net.layers[0], [3, 7, 8]), (net.layers[1], [0, 14])):
        layer.bias[:] = rng.uniform(0.1, 0.5, layer.n_out)
        layer.bias[quiet] = -1000
    X = rng.standard_normal((24, 12)).astype(dtype)
    inputs, h = [], X.T
    for layer in net.layers:
        inputs.append(np.ascontiguousarray(h))
        h = np.maximum(layer.weight @ h + layer.bias[:, None], 0)
    return net, X, inputs


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.0])
def test_dormant_by_the_definition(tau):
    rng = np.random.default_rng(1)
    values = np.maximum(rng.standard_normal((30, 64)) + rng.uniform(-4, 1, (30, 1)), 0).astype(np.float32)
    found = dormant_neurons(values, tau)
    scores = [sum(abs(float(v)) for v in row) / 64 for row in values]
    layer = sum(scores) / 30
    assert found.tolist() == [score / layer <= tau for score in scores]
    assert 0 < found.sum() < 30


def test_a_layer_that_is_silent_is_dormant():
    assert dormant_neurons(np.zeros((4, 8)), 0.0).all()


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 1, 2), (1, 2, 0)])
def test_layers_may_come_in_any_order(order):
    results = []
    for sequence in ((2, 1, 0), order):
        net, _, inputs = silent()
        states = [layer.new_state(ts.Adam()) for layer in net.layers]
        step = ts.ReDo().start(net, states, key=5, threads=1)
        rng = np.random.default_rng(3)
        dys = [rng.standard_normal((layer.n_out, 24)) for layer in net.layers]
        for number in sequence:
            step.evolve_layer(number, inputs[number], dys[number])
        assert step.n_recycled == 5
        results.append(arrays_of(net.layers, states))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_columns_of_padding_do_not_count():
    """Neurons that would fire at the zeros of padding are silent on the samples."""
    net, _, inputs = silent()
    net.layers[0].bias[0] = 5.0
    net.layers[0].values[:] = np.where(net.layers[0].connectivity.by_input.index == 0, 0, net.layers[0].values)
    h = np.maximum(net.layers[0].weight @ inputs[0] + net.layers[0].bias[:, None], 0)
    h[0] = 0  # as if the samples held it down
    padded = np.concatenate([h, np.full((20, 8), 5.0)], axis=1)
    dy = np.concatenate([np.ones((15, 24)), np.zeros((15, 8))], axis=1)
    step = ts.ReDo().start(net, [layer.new_state(ts.SGD()) for layer in net.layers], key=5, threads=1)
    step.evolve_layer(1, padded, dy)
    first = net.layers[1].connectivity.by_input.ptr[:2]
    assert not net.layers[1].values[slice(*first)].any()


def test_layers_that_are_not_in_the_step_only_pass_the_gradient_on():
    net, _, inputs = silent()
    other = ts.SparseMLP((12, 20), epsilon=3, dtype="float64").layers[0]
    before = [array.copy() for array in arrays_of([other], [other.new_state(ts.SGD())])]
    step = ts.ReDo().start(net.layers[:2], [layer.new_state(ts.SGD()) for layer in net.layers[:2]], key=1, threads=1)
    assert step.evolve_layer(7) == 0
    dx = np.zeros((12, 32))
    step.take(0, other, np.ones((20, 32)), Activations(np.tile(inputs[0], 2)[:, :32].copy()), dx, 1)
    assert dx.any()
    for one, two in zip(before, arrays_of([other], [other.new_state(ts.SGD())]), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_step_needs_the_batch():
    net, _, inputs = silent()
    step = ts.ReDo().start(net, [layer.new_state(ts.SGD()) for layer in net.layers], key=1, threads=1)
    with pytest.raises(ts.InputError, match="needs gradients"):
        step.evolve_layer(1)
    with pytest.raises(ts.InputError, match=r"x must be float64 of shape \(20, samples\)"):
        step.evolve_layer(1, inputs[0], np.ones((15, 24)))
