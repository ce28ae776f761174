"""Passes through a network: gradients against central differences, hidden activations, batches of predictions."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.nn.passes import backward_layers, forward_layers
from trulysparse.nn.sinks import Gradients


@pytest.mark.parametrize("activation", ["all_relu", "tanh", "sigmoid", "gelu", "silu", Softsign()])
def test_backward_matches_central_differences(rng, activation):
    net = ts.SparseMLP((5, 7, 6, 3), epsilon=2, activation=activation, dtype="float64", output="identity", seed=1)
    X, direction = rng.normal(size=(4, 5)), rng.normal(size=(4, 3))
    signals = net.workspace().signals(4, 1.0)
    signals[0].values[:, :4] = X.T
    signals[0].values[:, 4:] = 0
    forward_layers(net, signals, [0, 0, 0], 1)
    dy, dx = np.zeros_like(signals[-1].values), np.empty_like(signals[0].values)
    dy[:, :4] = direction.T
    sink = Gradients([layer.new_gradient() for layer in net.layers])
    backward_layers(net, signals, dy, sink, threads=2, input_gradient=dx)

    def slope(array, at, X):
        before, outputs = array[at], []
        for step in (1e-6, -1e-6):
            array[at] = before + step
            outputs.append((net.decision_function(X) * direction).sum())
            array[at] = before
        return (outputs[0] - outputs[1]) / 2e-6

    for layer, (weight, bias) in zip(net.layers, sink.arrays, strict=True):
        for array, gradient in ((layer.values, weight), (layer.bias, bias)):
            for at in rng.integers(len(array), size=5):
                assert gradient[at] == pytest.approx(slope(array, at, X), rel=1e-5, abs=1e-8)
    for i, j in ((0, 0), (2, 3), (3, 4)):
        assert dx[j, i] == pytest.approx(slope(X, (i, j), X), rel=1e-5, abs=1e-8)


def test_hidden_batches_are_the_activations_of_a_dense_pass(rng):
    net = ts.SparseMLP((5, 7, 6, 3), epsilon=2, activation="tanh", dtype="float64")
    X = rng.normal(size=(9, 5))
    first = np.tanh(X @ net.layers[0].weight.toarray().T)
    second = np.tanh(first @ net.layers[1].weight.toarray().T)
    for samples, (one, two) in net.hidden_batches(X, 4):
        n = samples.stop - samples.start
        np.testing.assert_allclose(one[:, :n].T, first[samples], rtol=1e-12)
        np.testing.assert_allclose(two[:, :n].T, second[samples], rtol=1e-12)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("batch_size", [1, 100, 128, 5000])
def test_predictions_do_not_depend_on_the_batch_size(rng, storage, batch_size):
    net, X = ts.SparseMLP((5, 900, 700, 3), epsilon=2, storage=storage), rng.normal(size=(700, 5))
    found = net.decision_function(X, batch_size=batch_size)
    np.testing.assert_allclose(found, net.decision_function(X), rtol=1e-4, atol=1e-5)
    sizes = [values.shape[1] for _, values in net.output_batches(X, batch_size)]
    assert sum(sizes) == 700
    assert max(sizes) <= 128
