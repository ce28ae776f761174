"""What becomes of gradients: an update at once, arrays, or sums of arrays."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.passes import backward_layers, forward_layers
from trulysparse.nn.sinks import Gradients, Update


def gradients_of(net):
    return Gradients([layer.new_gradient() for layer in net.layers])


def backward(net, X, sink):
    """A backward pass of the gradient 1 at each output, of samples X."""
    signals = net.workspace().signals(len(X), 1.0)
    signals[0].values[:, : len(X)] = X.T
    forward_layers(net, signals, [0] * len(net.layers), 1)
    dy = np.zeros_like(signals[-1].values)
    dy[:, : len(X)] = 1
    backward_layers(net, signals, dy, sink, threads=1)


@pytest.fixture(params=["indexed", "compact"])
def net(request):
    return ts.SparseMLP((6, 20, 10, 3), epsilon=3, storage=request.param, seed=2)


def test_gradients_add_up_where_asked(net, rng):
    X = rng.normal(size=(16, 6)).astype(np.float32)
    once, parts = gradients_of(net), gradients_of(net)
    backward(net, X, once)
    backward(net, X[:8], parts)
    total = Gradients(parts.arrays, add=True)
    backward(net, X[8:], total)
    for (weight, bias), (weight2, bias2) in zip(once.arrays, total.arrays, strict=True):
        np.testing.assert_allclose(weight2, weight, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(bias2, bias, rtol=1e-4, atol=1e-5)


def test_update_takes_the_step_of_the_gradients(net, rng):
    X = rng.normal(size=(16, 6)).astype(np.float32)
    gradients = gradients_of(net)
    backward(net, X, gradients)
    before = [(x.values.copy(), x.bias.copy()) for x in net.layers]
    optimizer = ts.SGD(0.01, 0.0)
    states = [x.new_state(optimizer) for x in net.layers]
    backward(net, X, Update(states, optimizer.rule(0, 0.0, None)))
    for layer, (values, bias), (weight_gradient, bias_gradient) in zip(
        net.layers, before, gradients.arrays, strict=True
    ):
        np.testing.assert_allclose(layer.values, values - 0.01 * weight_gradient, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.bias, bias - 0.01 * bias_gradient, rtol=1e-5, atol=1e-6)


def test_apply_equals_the_update_on_the_spot(net, rng):
    X = rng.normal(size=(16, 6)).astype(np.float32)
    twin, optimizer = net.copy(), ts.Adam(0.01)
    gradients = gradients_of(net)
    backward(twin, X, gradients)
    rule = optimizer.rule(0, 0.0, None)
    backward(net, X, Update([x.new_state(optimizer) for x in net.layers], rule))
    Update([x.new_state(optimizer) for x in twin.layers], rule).apply(twin.layers, gradients.arrays, 1)
    for a, b in zip(net.layers, twin.layers, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(a.bias, b.bias, rtol=1e-5, atol=1e-6)
