"""Strength and importance of neurons against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.networks import dense, network
from trulysparse.pruning.strength import importance, incoming_strength, mean_activation, outgoing_strength


def test_strength_of_a_layer_is_the_sum_of_absolute_weights():
    net = network(1)
    for layer, weight in zip(net.layers, dense(net), strict=True):
        np.testing.assert_allclose(incoming_strength(layer, 2), np.abs(weight).sum(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outgoing_strength(layer, 2), np.abs(weight).sum(axis=0), rtol=1e-5, atol=1e-6)


def test_mean_activation_over_batches_equals_dense_forward_pass():
    net = network(3, epsilon=3.0)
    X = np.random.default_rng(0).standard_normal((300, 20))
    a = X.T
    for number, (layer, mean) in enumerate(zip(net.layers[:-1], mean_activation(net, X), strict=True), start=1):
        z = layer.weight.toarray() @ a + layer.bias[:, None]
        a = np.where(z > 0, z, 0.6 * (-1) ** number * z)
        np.testing.assert_allclose(mean, np.abs(a).mean(axis=1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("score", ["incoming", "both", "activation"])
def test_importance_each_score_equals_dense_definition(score):
    net = network(1, epsilon=3.0)
    weights = dense(net)
    activity = [np.arange(1.0, n + 1) for n in net.layer_sizes[1:-1]]
    for number, values in enumerate(importance(net, score, activity)):
        incoming = np.abs(weights[number]).sum(axis=1)
        outgoing = np.abs(weights[number + 1]).sum(axis=0)
        expected = {"incoming": incoming, "both": incoming * outgoing, "activation": activity[number] * outgoing}
        np.testing.assert_allclose(values, expected[score], rtol=1e-5, atol=1e-6)
