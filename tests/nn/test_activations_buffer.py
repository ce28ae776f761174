"""Memory for a batch's activations."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.nn import activations_buffer

SIZES = (20, 300, 200, 100, 50, 3)


def test_predictions_of_very_wide_networks_come_in_smaller_batches(rng, monkeypatch):
    X = rng.normal(size=(120, 20)).astype(np.float32)
    net = ts.SparseMLP(SIZES, epsilon=3, storage="compact", fan="sparse", seed=1)
    whole = net.decision_function(X)
    monkeypatch.setattr(activations_buffer, "INFERENCE_BYTES", 20_000)
    types = net.activation_types()
    assert activations_buffer.largest_batch(SIZES, types, 256) == 8
    assert activations_buffer.largest_batch((10**9, 10**9), types[:2], 256) == 1
    np.testing.assert_array_equal(net.decision_function(X), whole)
