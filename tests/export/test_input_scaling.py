"""Folded scaling computes the same, and is left out where it would cost accuracy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import trulysparse as ts
from export.device_scores import scores
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.input_scaling import MOST_SHIFT, with_scaling


def scaled_network(offset: object, factor: object, *, skip: bool = False) -> DeviceNetwork:
    net = ts.SparseMLP((6, 10, 3), epsilon=2, skip=skip, seed=1)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.values.size)
        layer.bias[:] = rng.standard_normal(layer.bias.size)
    net.scaling = Scaling("standard", np.zeros(6) + offset, np.zeros(6) + factor)
    return DeviceNetwork.of(net)


@pytest.mark.parametrize("skip", [False, True])
def test_folded_scaling_computes_the_same(skip: bool, rng: np.random.Generator) -> None:
    network = scaled_network(rng.standard_normal(6), rng.uniform(0.1, 3, 6), skip=skip)
    folded, X = with_scaling(network, "folded"), rng.standard_normal((5, 6))
    assert folded.offset is None
    assert folded.factor is None
    assert np.allclose(scores(folded, X), scores(network, X), atol=1e-6)
    assert with_scaling(network, "kept") is network
    if skip:
        assert not folded.layers[-1].bias.any()  # a skip layer has none


def test_auto_folds_where_the_shift_is_small() -> None:
    assert with_scaling(scaled_network(MOST_SHIFT, 1.0)).offset is None
    assert with_scaling(scaled_network(MOST_SHIFT * 1.01, 1.0)).offset is not None
    assert with_scaling(scaled_network([0, 0, 0, 0, 0, -2000.0], 0.1)).offset is not None
    assert with_scaling(scaled_network([0, 0, 0, 0, 0, -2000.0], 0.1), "folded").offset is None


def test_rounding_stays_small_at_the_bound(rng: np.random.Generator) -> None:
    """In float32 on raw inputs, at the largest shift that auto folds."""
    network = scaled_network(32.0, MOST_SHIFT / 32.0)
    X = (rng.standard_normal((200, 6)) / network.factor + network.offset).astype(np.float32)
    layer = with_scaling(network).layers[0]
    sums = np.zeros((200, layer.n_out), np.float32) + layer.bias
    for output in range(layer.n_out):
        for k in range(layer.ptr[output], layer.ptr[output + 1]):
            sums[:, output] += layer.weight[k] * X[:, layer.index[k]]
    linear = replace(network.layers[0], activation=ts.Identity().kernel(1))
    assert np.abs(sums - scores(replace(network, layers=(linear,)), X)).max() < 1e-5


def test_weights_beyond_float32_are_not_folded() -> None:
    network = scaled_network(0.0, 1e38)
    network.layers[0].weight[:] = 1e3
    assert with_scaling(network).factor is not None
    with pytest.raises(InputError, match="scaling='folded' would make weights or biases beyond float32"):
        with_scaling(network, "folded")
    with pytest.raises(InputError, match="scaling must be one of auto, folded, kept"):
        with_scaling(network, "both")
