"""merge_networks: one network that is the mean of several."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data import Scaling


def reference(networks, X):
    """The mean of the members' logits, dense and in float64."""
    outputs = []
    for net in networks:
        x = np.asarray(X, dtype=np.float64)
        if net.scaling is not None:
            x = (x - net.scaling.offset) * net.scaling.factor
        for number, layer in enumerate(net.layers):
            x = x @ layer.weight.toarray().astype(np.float64).T + (layer.bias if len(layer.bias) else 0)
            if number < len(net.layers) - 1:
                x = np.maximum(x, 0)
        outputs.append(x)
    return np.mean(outputs, axis=0)


def members(sizes, count=3, **settings):
    return [
        ts.SparseMLP(sizes, epsilon=3, activation="relu", seed=seed, threads=1, **settings) for seed in range(count)
    ]


@pytest.mark.parametrize("sizes", [(12, 30, 4), (12, 20, 15, 4), (12, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
def test_output_is_the_mean_of_the_members(rng, sizes, dtype, bias):
    networks = members(sizes, dtype=dtype, bias=bias)
    for net in networks:
        for layer in net.layers:
            layer.bias[:] = rng.normal(size=len(layer.bias))
    X = rng.normal(size=(20, 12))
    net = ts.merge_networks(networks)
    wanted = reference(networks, X)
    np.testing.assert_allclose(net.decision_function(X), wanted, rtol=1e-4, atol=1e-5 if dtype == "float32" else 1e-12)
    assert net.layer_sizes == (12, *(3 * size for size in sizes[1:-1]), 4)
    assert net.dtype == np.dtype(dtype)
    probabilities = np.exp(wanted - wanted.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        net.predict_proba(X), probabilities / probabilities.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-5
    )


def test_members_of_different_hidden_sizes_keep_all_connections_also_of_weight_zero(rng):
    networks = [ts.SparseMLP((6, size, 5, 2), epsilon=2, activation="relu", seed=size) for size in (7, 11)]
    networks[0].layers[0].values[:3] = 0
    net = ts.merge_networks(networks)
    assert net.layer_sizes == (6, 18, 10, 2)
    assert net.n_connections == sum(each.n_connections for each in networks)
    blocks = sp.block_diag([each.layers[1].weight for each in networks]).toarray()
    np.testing.assert_array_equal(net.layers[1].weight.toarray(), blocks)
    X = rng.normal(size=(5, 6))
    np.testing.assert_allclose(net.decision_function(X), reference(networks, X), rtol=1e-4, atol=1e-5)


def test_all_relu_keeps_its_sign_of_each_layer(rng):
    networks = [ts.SparseMLP((6, 9, 8, 2), epsilon=3, output="identity", seed=seed) for seed in range(2)]
    X = rng.normal(size=(5, 6))
    mean = np.mean([each.predict(X) for each in networks], axis=0)
    np.testing.assert_allclose(ts.merge_networks(networks).predict(X), mean, rtol=1e-4, atol=1e-5)


def test_skip_layers_are_the_mean_also_where_they_have_connections_in_common(rng, tmp_path):
    networks = members((12, 9, 4), skip=True, skip_density=0.4)
    for net in networks:
        net.skip_layer.values[:] = rng.normal(size=net.skip_layer.n_connections)
    net = ts.merge_networks(networks)
    X = rng.normal(size=(7, 12))
    mean = np.mean([each.decision_function(X) for each in networks], axis=0)
    np.testing.assert_allclose(net.decision_function(X), mean, rtol=1e-4, atol=1e-5)
    patterns = [each.skip_layer.weight.toarray() != 0 for each in networks]
    assert net.skip_layer.n_connections == np.any(patterns, axis=0).sum() < np.sum(patterns)
    ts.save(net, tmp_path / "net.safetensors")
    np.testing.assert_array_equal(ts.load(tmp_path / "net.safetensors").predict(X), net.predict(X))
    with pytest.raises(ts.InputError, match=r"networks\[1\] must have the skip"):
        ts.merge_networks([networks[0], *members((12, 9, 4), count=1)])


def test_what_belongs_to_data_is_kept_also_in_a_file(rng, tmp_path):
    networks = members((4, 8, 3))
    for net in networks:
        net.scaling = Scaling("standard", np.arange(4.0), np.full(4, 0.5))
        net.labels = np.array(["a", "b", "c"])
        net.feature_names = ("p", "q", "r", "s")
    net = ts.merge_networks(networks)
    ts.save(net, tmp_path / "net.safetensors")
    again = ts.load(tmp_path / "net.safetensors")
    X = rng.normal(size=(9, 4))
    np.testing.assert_allclose(net.decision_function(X), reference(networks, X), rtol=1e-4, atol=1e-5)
    for each in (net, again):
        assert each.feature_names == ("p", "q", "r", "s")
        assert set(each.predict(X)) <= {"a", "b", "c"}
        np.testing.assert_array_equal(each.decision_function(X), net.decision_function(X))


def test_one_network_is_copied():
    net = ts.SparseMLP((4, 8, 2), epsilon=2)
    twin = ts.merge_networks([net])
    twin.layers[0].values[:] = 0
    assert net.layers[0].values.any()


@pytest.mark.parametrize(
    "other, message",
    [
        (lambda: ts.SparseMLP((5, 8, 3), activation="relu"), "number of inputs"),
        (lambda: ts.SparseMLP((4, 8, 2), activation="relu"), "number of outputs"),
        (lambda: ts.SparseMLP((4, 8, 8, 3), activation="relu"), "number of layers"),
        (lambda: ts.SparseMLP((4, 8, 3), activation="tanh"), "activation"),
        (lambda: ts.SparseMLP((4, 8, 3), activation="relu", output="sigmoid"), "output"),
        (lambda: ts.SparseMLP((4, 8, 3), activation="relu", dtype="float64"), "type"),
        (lambda: ts.SparseMLP((4, 8, 3), activation="relu", bias=False), "biases"),
        (lambda: ts.SparseMLP((4, 8, 3), activation="relu", storage="compact"), "must have storage='indexed'"),
        (lambda: "net", "must be a SparseMLP, not str"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(other, message):
    first = ts.SparseMLP((4, 8, 3), activation="relu")
    with pytest.raises(ts.InputError, match=rf"networks\[1\] .*{message}"):
        ts.merge_networks([first, other()])


def test_no_networks_are_refused():
    with pytest.raises(ts.InputError, match="networks must have at least one"):
        ts.merge_networks([])
