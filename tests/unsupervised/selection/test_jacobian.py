"""Derivatives of all outputs, against central differences and dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.losses import make_loss
from trulysparse.training.passes import checked_batch
from trulysparse.unsupervised.selection.jacobian import Jacobian


def naive(net: ts.SparseMLP, X: np.ndarray, probabilities: bool) -> np.ndarray:
    """The sum over outputs of the mean |central difference| in float64."""

    def outputs(x: np.ndarray) -> np.ndarray:
        for number, layer in enumerate(net.layers):
            x = x @ layer.weight.toarray().T + layer.bias
            x = np.tanh(x) if number < len(net.layers) - 1 else x
        if not probabilities:
            return x
        if net.output == "sigmoid":
            return 1 / (1 + np.exp(-x))
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    h, found = 1e-5, np.zeros(X.shape[1])
    for i in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[i] = h
        found[i] = np.abs((outputs(X + step) - outputs(X - step)) / (2 * h)).mean(axis=0).sum()
    return found


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize(("output", "n_outputs"), [("softmax", 2), ("softmax", 7), ("sigmoid", 3), ("identity", 1)])
def test_equals_central_differences(output: str, n_outputs: int, probabilities: bool) -> None:
    net = ts.SparseMLP((6, 20, 12, n_outputs), epsilon=4, activation="tanh", output=output, dtype="float64", seed=1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 6))
    y = rng.integers(0, n_outputs, 9) if output == "softmax" else np.zeros((9, n_outputs))
    jacobian = Jacobian(net, probabilities, threads=1)
    for part in (slice(None), slice(0, 4), slice(3, 4), slice(None)):  # memory is used again
        batch = checked_batch(net, make_loss(None, output), X[part], y[part])
        expected = naive(net, X[part], probabilities and output != "identity")
        np.testing.assert_allclose(jacobian.mean_magnitude(batch), expected, rtol=1e-6)


def test_follows_a_network_whose_weights_and_connections_change() -> None:
    net = ts.SparseMLP((6, 20, 3), epsilon=3, activation="tanh", dtype="float64", seed=1)
    X = np.random.default_rng(0).standard_normal((5, 6))
    batch = checked_batch(net, ts.SoftmaxCrossEntropy(), X, np.zeros(5, int))
    jacobian = Jacobian(net, False, threads=1)
    before = jacobian.mean_magnitude(batch)
    state = [layer.new_state(ts.SGD()) for layer in net.layers]
    ts.SET(0.5, fresh="init").evolve(net, state, key=1, threads=1)
    after = jacobian.mean_magnitude(batch)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, naive(net, X, False), rtol=1e-6)
