"""Network: its layers are checked; copies, and both passes against float64 arithmetic."""

from __future__ import annotations

import copy
import gc
import pickle
from weakref import ref

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import uniform
from trulysparse.data import Scaling
from trulysparse.nn.activations import IDENTITY
from trulysparse.nn.layers.indexed import IndexedLayer


def test_layers_set_by_the_user_are_checked_before_use(rng):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    X = rng.normal(size=(6, 5))
    first = net.layers[0]
    for wrong in (uniform(5, 9, 8), uniform(4, 5, 8)):
        net.layers[0] = IndexedLayer(wrong, np.ones(8, np.float32), np.zeros(wrong.n_out, np.float32), IDENTITY)
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            net.predict(X)
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            ts.Trainer(net).step(X, np.zeros(6, int))
    net.layers[0] = first
    first.values = first.values[:-1]
    with pytest.raises(ts.InputError, match=r"layers\[0\].values must be float32"):
        net.predict(X)
    net.layers.pop()
    with pytest.raises(ts.InputError, match="layers must have 2 entries, not 1"):
        net.predict(X)


def test_layers_changed_after_a_check_are_checked_again(rng):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    X = rng.normal(size=(6, 5))
    net.predict(X)
    layer = net.layers[1]
    values, bias, con = layer.values, layer.bias, layer.connectivity
    for part, wrong in (("values", values[:-1]), ("bias", bias.astype(np.float64)), ("connectivity", uniform(4, 4, 8))):
        setattr(layer, part, wrong)
        with pytest.raises(ts.InputError, match=r"layers\[1\]"):
            net.predict(X)
        layer.values, layer.bias, layer.connectivity = values, bias, con
        net.predict(X)
    net.layer_sizes = (5, 4, 2)
    with pytest.raises(ts.InputError, match=r"layers\[1\] connects 4 x 3 neurons, not 4 x 2"):
        net.predict(X)
    net.layer_sizes = (5, 4, 3)
    net.layers[0] = "layer"
    with pytest.raises(ts.InputError, match=r"layers\[0\] must be a layer, not str"):
        net.predict(X)


def test_checked_layers_are_not_held_on_to():
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    net.check_layers()
    layer = ref(net.layers[0])
    net.layers[0] = net.layers[0].copy()
    gc.collect()
    assert layer() is None


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), ts.SparseMLP.copy])
def test_copies_predict_alike_and_are_on_their_own(rng, twin_of):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    X = rng.normal(size=(6, 5))
    wanted = net.predict_proba(X)
    twin = twin_of(net)
    np.testing.assert_array_equal(twin.predict_proba(X), wanted)
    twin.layers[0].values[:] = 0
    np.testing.assert_array_equal(net.predict_proba(X), wanted)


def test_with_layers_that_do_not_follow_each_other_is_refused():
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    with pytest.raises(ts.InputError, match=r"layers\[0\] connects 4 x 3 neurons|layers\[1\] connects"):
        net.with_layers(net.layers[::-1])
    with pytest.raises(ts.InputError, match="at least one layer"):
        net.with_layers([])
    assert net.with_layers(net.layers[:1]).layer_sizes == (5, 4)


@pytest.mark.parametrize(
    "scaling",
    [
        "standard",
        Scaling("standard", np.zeros(3), np.ones(4)),
        Scaling("standard", np.zeros(4), np.ones(4, np.float32)),
        Scaling("standard", np.zeros(8)[::2], np.ones(4)),
        Scaling("standard", np.zeros(4), np.full(4, np.nan)),
        Scaling("standard", [0] * 4, np.ones(4)),
    ],
)
def test_scaling_that_does_not_fit_is_refused_by_whatever_uses_it(scaling):
    net = ts.SparseMLP((4, 6, 3), threads=1)
    X = np.ones((2, 4))
    net.predict(X)  # once with what is right
    net.scaling = scaling
    for use in (net.predict, lambda X: ts.Trainer(net).step(X, [0, 1]), lambda X: net.freeze()):
        with pytest.raises(ts.InputError, match=r"^scaling"):
            use(X)


def test_weights_that_are_not_contiguous_are_refused():
    net = ts.SparseMLP((4, 6, 3), threads=1)
    net.layers[0].values = np.repeat(net.layers[0].values, 2)[::2]
    with pytest.raises(ts.InputError, match=r"^layers\[0\]\.values must be contiguous"):
        net.predict(np.ones((2, 4)))


def test_numpy_integers_are_seeds_like_others():
    seed = 987654321
    one, other = (ts.SparseMLP((4, 6, 3), seed=s, threads=1) for s in (np.int64(seed), seed))
    assert all(np.array_equal(a.values, b.values) for a, b in zip(one.layers, other.layers, strict=True))


@pytest.mark.parametrize(
    "scaling, message",
    [
        (3, "target_scaling must be a Scaling or None"),
        (Scaling("standard", np.zeros(2), np.ones(2)), r"target_scaling.offset must be float64 of shape \(3,\)"),
        (Scaling("standard", np.zeros(3), np.array([1.0, np.inf, 1.0])), "target_scaling.factor must be contiguous"),
        (Scaling("standard", np.zeros(3), np.array([1.0, -1.0, 1.0])), "target_scaling.factor must be at least 0"),
    ],
)
def test_target_scaling_is_checked_before_use(rng, scaling, message):
    net = ts.SparseMLP((5, 4, 3), epsilon=2, output="identity")
    X = rng.standard_normal((6, 5))
    net.predict(X)  # what has passed is not looked at again, but what has been set since is
    net.target_scaling = scaling
    for call in (lambda: net.predict(X), lambda: ts.Trainer(net).step(X, X[:, :3])):
        with pytest.raises(ts.InputError, match=message):
            call()


def test_target_scaling_is_for_values(rng):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    net.target_scaling = Scaling("standard", np.zeros(3), np.ones(3))
    with pytest.raises(ts.InputError, match="target_scaling is for output='identity' or 'sigmoid', not 'softmax'"):
        net.predict(rng.standard_normal((6, 5)))


@pytest.mark.parametrize("preprocessor", [ts.TablePreprocessor(), "text"])
def test_preprocessor_is_checked_before_use(rng, preprocessor):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    net.preprocessor = preprocessor
    with pytest.raises(ts.InputError, match="preprocessor must be a fitted TablePreprocessor of 5 outputs"):
        net.predict(rng.standard_normal((6, 5)))


def test_names_of_other_inputs_are_forgotten():
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    net.feature_names = list("abcde")
    assert net.with_layers(net.layers[1:]).feature_names is None
    assert net.feature_names == tuple("abcde")
