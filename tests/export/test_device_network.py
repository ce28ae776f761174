"""Everything that can be exported becomes the same arrays that NumPy computes with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trulysparse as ts
from export.device_scores import scores
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceNetwork, activation_name
from trulysparse.rl.policy import Policy


def network(**changes: Any) -> ts.SparseMLP:
    net = ts.SparseMLP((12, 20, 16, 5), **{"epsilon": 3, "seed": 1} | changes)
    rng = np.random.default_rng(2)
    for layer in net.layers:
        if layer.bias.dtype != np.uint16:
            layer.bias[:] = rng.standard_normal(layer.bias.size)
            if not net.tied:
                layer.values[:] = rng.standard_normal(layer.values.size)
    return net


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation": "relu", "output": "identity"},
        {"activation": "gelu", "dtype": "float64"},
        {"activation": ts.LeakyReLU(0.1), "bias": False},
        {"activation": "silu", "skip": True, "output": "sigmoid"},
        {"storage": "compact", "weights": "bfloat16"},
    ],
)
def test_network_gives_what_the_library_gives(rng: np.random.Generator, changes: dict[str, Any]) -> None:
    net, X = network(**changes), rng.standard_normal((7, 12))
    net.scaling = Scaling("standard", rng.standard_normal(12), rng.uniform(0.5, 2, 12))
    device = DeviceNetwork.of(net)
    assert np.allclose(scores(device, X), net.decision_function(X), rtol=1e-4, atol=1e-4)
    assert device.layer_sizes == net.layer_sizes
    assert device.n_connections == net.n_connections
    assert device.output == net.output
    assert device.rounded == (net.dtype == np.float64)
    assert [layer.skip for layer in device.layers] == [False] * 3 + [True] * net.skip
    for layer in device.layers:
        assert (layer.ptr.dtype, layer.index.dtype) == (np.int64, np.int32)
        assert {layer.weight.dtype, layer.bias.dtype} == {np.dtype(np.float32)}
        assert layer.bias.shape == (layer.n_out,)
        assert layer.full == (layer.n_connections == layer.n_in * layer.n_out)


def test_tied_ends_are_two_layers(rng: np.random.Generator) -> None:
    net = ts.SparseMLP((9, 4, 9), epsilon=2, tied=True, output="identity")
    X = rng.standard_normal((3, 9))
    assert np.allclose(scores(DeviceNetwork.of(net), X), net.predict(X), atol=1e-5)


def test_frozen_and_merged_networks_are_the_same_arrays(rng: np.random.Generator) -> None:
    net, X = network(skip=True), rng.standard_normal((4, 12))
    for one, other in zip(DeviceNetwork.of(net).layers, DeviceNetwork.of(net.freeze()).layers, strict=True):
        assert (one.index == other.index).all()
        assert (one.weight == other.weight).all()
        assert (one.activation, one.skip) == (other.activation, other.skip)
    merged = ts.merge_networks([net, network(seed=5, skip=True)])
    assert np.allclose(scores(DeviceNetwork.of(merged), X), merged.decision_function(X), atol=1e-4)


def test_arrays_are_copies() -> None:
    net = network()
    device = DeviceNetwork.of(net)
    before = device.layers[0].weight.copy()
    net.layers[0].values[:] = 0
    assert (device.layers[0].weight == before).all()


def test_policy_has_normalisation_head_and_bounds() -> None:
    net, offset = network(output="identity"), np.arange(12.0)
    policy = Policy(net, head="tanh", n_actions=2, low=[-3, 0], high=[3, 1], offset=offset, factor=np.full(12, 0.5))
    device = DeviceNetwork.of(policy)
    assert (device.head, device.n_actions) == ("tanh", 2)
    assert device.low is not None
    assert device.high is not None
    assert device.low.tolist() == [-3, 0]
    assert device.high.tolist() == [3, 1]
    observation = np.linspace(-1, 1, 12)
    z = scores(device, observation[None])[0]
    assert z.shape == (2,)
    action = device.low + (np.tanh(z) + 1) / 2 * (device.high - device.low)
    assert np.allclose(policy(observation), action, atol=1e-5)
    agent = SimpleNamespace(policy=Policy(net, head="argmax", n_actions=3))
    assert (DeviceNetwork.of(agent).head, DeviceNetwork.of(agent).low) == ("argmax", None)


def test_estimators_give_labels_and_scaling(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((40, 6)), np.array(["no", "yes"])[rng.integers(0, 2, 40)]
    model = ts.SparseMLPClassifier((8,), epochs=1, random_state=0).fit(X, y)
    device = DeviceNetwork.of(model)
    assert device.labels == ("no", "yes")
    assert np.allclose(scores(device, X), model.network_.decision_function(X), atol=1e-4)
    regressor = ts.SparseMLPRegressor((8,), epochs=1, random_state=0).fit(X, X[:, 0] * 50)
    device = DeviceNetwork.of(regressor)
    assert device.target_factor is not None
    assert device.target_offset is not None
    z = scores(device, X) / device.target_factor + device.target_offset
    assert np.allclose(z[:, 0], regressor.predict(X), rtol=1e-4)


def test_a_constant_target_keeps_its_value() -> None:
    net = network(output="identity")
    net.target_scaling = Scaling("standard", np.full(5, 7.0), np.array([1.0, 0, 1, 1, 1]))
    device = DeviceNetwork.of(net)
    assert device.target_factor is not None
    assert float(np.float32(1e6) / device.target_factor[1]) < 1e-30


def test_activations_have_names() -> None:
    assert activation_name(ts.LeakyReLU(0.1).kernel(1)) == "leaky_relu"
    assert activation_name(ts.LeakyReLU(1.0).kernel(1)) == "identity"
    assert activation_name(ts.SiLU().kernel(1)) == "silu"
    assert activation_name(ts.AllReLU(0.0).kernel(1)) == "relu"


class Cube:
    name = "cube"

    def forward(self, z: Any) -> Any:
        return z**3

    def derivative(self, z: Any) -> Any:
        return 3 * z**2


def test_what_cannot_be_exported_is_refused() -> None:
    with pytest.raises(InputError, match=r"activation of your own, 'cube', in layers\[0\].* all_relu, relu"):
        DeviceNetwork.of(ts.SparseMLP((3, 4, 2), activation=Cube()))
    with pytest.raises(InputError, match=r"as model\[0\]"):
        DeviceNetwork.of(ts.Fleet(2, (3, 4, 2)))
    with pytest.raises(InputError, match=r"model must be a SparseMLP.*, not int"):
        DeviceNetwork.of(3)
    net = network(dtype="float64")
    net.layers[1].values[3] = 1e300
    with pytest.raises(InputError, match=r"layers\[1\].values\[\d+\] is 1e\+300"):
        DeviceNetwork.of(net)
    net = network()
    net.scaling = Scaling("standard", np.zeros(12), np.full(12, 1e200))
    with pytest.raises(InputError, match=r"scaling.factor\[0\]"):
        DeviceNetwork.of(net)
