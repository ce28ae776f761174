"""Both passes of a batch, against dense matrices; batches in parts."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.arrays import widened
from trulysparse.nn.passes import backward_layers, forward_layers
from trulysparse.nn.sinks import Gradients
from trulysparse.training.passes import BatchPasses, checked_batch

STORAGES = {
    "indexed": {},
    "float64": {"dtype": "float64"},
    "compact": {"storage": "compact"},
    "bfloat16": {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"},
}


def network(storage="indexed", **options):
    return ts.SparseMLP((9, 14, 12, 11, 3), epsilon=4, seed=2, **STORAGES[storage], **options)


def samples(rng, n=21):
    return rng.standard_normal((n, 9)), rng.integers(0, 3, n)


def dense_backward(net, X, dy, slopes):
    """Gradients by the definition on dense matrices in float64: weights, biases and input."""
    weights = [layer.weight.toarray().astype(np.float64) for layer in net.layers]
    biases = [widened(layer.bias).astype(np.float64) for layer in net.layers]
    activations, derivatives = [X.T], []
    for w, b, slope in zip(weights, biases, slopes, strict=True):
        z = w @ activations[-1] + b[:, None]
        derivatives.append(np.where(z > 0, 1.0, slope))
        activations.append(np.where(z > 0, z, slope * z))
    found = []
    for number in reversed(range(len(weights))):
        found.append(((dy @ activations[number].T) * (weights[number] != 0), dy.sum(axis=1)))
        dy = weights[number].T @ dy
        if number:
            dy = dy * derivatives[number - 1]
    return found[::-1], dy


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("storage", ["indexed", "float64", "compact"])
def test_backward_gives_gradients_of_parameters_and_input(rng, storage, every):
    """Against the definition, for a loss gradient of anyone's own."""
    net = network(storage, activation=ts.AllReLU(0.5))
    X, n = rng.standard_normal((21, 9)), 21
    work = net.workspace(every=every)
    signals = work.signals(n, 1.0)
    stride = signals[0].values.shape[1]
    signals[0].values[:] = 0
    signals[0].values[:, :n] = X.T
    keys = [0] * len(net.layers)
    forward_layers(net, signals, keys, 2)
    dy = np.zeros((3, stride), net.dtype)
    dy[:, :n] = rng.standard_normal((3, n))
    sink, dx = Gradients([layer.new_gradient() for layer in net.layers]), np.empty((9, stride), net.dtype)
    backward_layers(net, signals, dy, sink, threads=2, input_gradient=dx, keys=keys, every=every)
    expected, expected_dx = dense_backward(net, X, dy[:, :n].astype(np.float64), [-0.5, 0.5, -0.5, 1.0])
    for layer, (weights, bias), (weight_wanted, bias_wanted) in zip(net.layers, sink.arrays, expected, strict=True):
        np.testing.assert_allclose(layer.to_csr(layer.in_order(weights)).toarray(), weight_wanted, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(bias, bias_wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dx[:, :n], expected_dx, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("micro", [1, 5, 21, 40])
def test_parts_add_up_to_the_whole(rng, storage, micro):
    net = network(storage)
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), *samples(rng), rng.random(21))
    whole = BatchPasses(net).gradients(batch)
    parts = BatchPasses(net, micro_batch_size=micro).gradients(batch)
    tolerance = 2e-2 if storage == "bfloat16" else 1e-5
    assert parts[0] == pytest.approx(whole[0], rel=tolerance)
    for a, b in zip(parts[1], whole[1], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
