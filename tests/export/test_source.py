from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data import Scaling
from trulysparse.export.source import source_of
from trulysparse.rl.policy import Policy


def net(**options) -> ts.SparseMLP:
    return ts.SparseMLP((5, 8, 3), epsilon=2, seed=0, threads=1, **{"output": "identity", **options})


def test_networks_of_any_form_are_the_same_network():
    one = net()
    sources = [source_of(each) for each in (one, one.freeze(), SimpleNamespace(network_=one))]
    assert sources[0].net is one
    for source in sources:
        assert source.head is None
        for own, layer in zip(source.net.layers, one.layers, strict=True):
            np.testing.assert_array_equal(own.weight.toarray(), layer.weight.toarray())


def test_compact_networks_become_indexed():
    compact = net(storage="compact", weights="bfloat16")
    source = source_of(compact)
    assert source.net.storage_config.kind == "indexed"
    np.testing.assert_array_equal(source.net.layers[0].weight.toarray(), compact.indexed().layers[0].weight.toarray())


def test_policy_brings_head_bounds_and_normalisation_in_double_precision():
    offset, factor = np.array([0.1, 1e6 + 0.1, 0, 0, 0]), np.arange(1.0, 6)
    policy = Policy(net(), head="tanh", n_actions=2, low=[-2, 0], high=[3, 1], offset=offset, factor=factor)
    for given in (policy, SimpleNamespace(policy=policy)):
        source = source_of(given)
        assert (source.head, source.n_actions) == ("tanh", 2)
        np.testing.assert_array_equal(source.net.scaling.offset, offset)
        np.testing.assert_array_equal(source.net.scaling.factor, factor)
        assert (source.low.tolist(), source.high.tolist()) == ([-2, 0], [3, 1])


def test_policy_of_a_network_with_a_scaling():
    scaled = net()
    scaled.scaling = Scaling("minmax", np.zeros(5), np.full(5, 2.0))
    source = source_of(Policy(scaled, head="argmax", n_actions=3))
    assert source.net.scaling.factor.tolist() == [2.0] * 5
    assert source.low is None


def test_damage_done_to_a_network_is_found():
    broken = net()
    broken.layers[0].bias = np.zeros(3, np.float32)
    with pytest.raises(ts.InputError, match=r"layers\[0\]"):
        source_of(broken)


@pytest.mark.parametrize(
    "model, message",
    [
        ("net", "model must be a SparseMLP, a FrozenMLP, a Policy, an agent or a fitted estimator, not str"),
        (None, "not NoneType"),
        (ts.SparseMLPClassifier(), "model must be fitted: call fit of this SparseMLPClassifier first"),
        (ts.Fleet(2, (3, 4, 2), density=0.5, seed=0), r"take an agent out of a fleet by its number, as model\[0\]"),
    ],
)
def test_what_is_no_network_is_refused(model, message):
    with pytest.raises(ts.InputError, match=message):
        source_of(model)


def test_own_activation_is_named():
    class Cube:
        name = "cube"

        def forward(self, z):
            return z**3

        def derivative(self, z):
            return 3 * z**2

    with pytest.raises(ts.InputError, match=r"an activation of your own, 'cube', in layers\[0\]"):
        source_of(net(activation=Cube())).check_built_in()
