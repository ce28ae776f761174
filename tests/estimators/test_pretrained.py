"""Estimators that begin with trained layers."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import trulysparse as ts
from estimators.tables import mixed_table
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.nn.activations import on_layer
from trulysparse.preprocessing import TablePreprocessor

FAST = dict(epochs=3, batch_size=16, random_state=0, n_jobs=1)


def encoder(n_inputs=6, sizes=(16, 8), *, X=None, dtype="float32", activation="all_relu"):
    net = ts.SparseMLP(
        (n_inputs, *sizes), epsilon=2, activation=activation, output="identity", dtype=dtype, seed=1, threads=1
    )
    if X is not None:
        net.scaling = fit_scaling("standard", as_matrix(X))
    return net


@pytest.fixture
def samples(rng):
    X = 3 + 5 * rng.standard_normal((64, 6))
    return X, (X[:, 0] > 3).astype(int)


def assert_begins_with(net, pretrained, dtype):
    for own, given in zip(net.layers, pretrained.layers, strict=False):
        np.testing.assert_array_equal(own.connectivity.by_input.index, given.connectivity.by_input.index)
        np.testing.assert_array_equal(own.values, given.values.astype(dtype))
        np.testing.assert_allclose(own.bias, given.bias, atol=1e-25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
def test_training_begins_with_the_layers_that_are_given(samples, kind, dtype):
    X, y = samples
    given = encoder(X=X)
    before = copy.deepcopy(given)
    still = dict(optimizer="sgd", learning_rate=1e-30, evolution=None, skip=False)
    model = kind(pretrained=given, dtype=dtype, **still, **FAST).fit(X, y)
    net = model.network_
    assert net.layer_sizes[:3] == (6, 16, 8)
    assert net.dtype == dtype
    assert net.activation == given.activation
    assert net.scaling is given.scaling
    assert model.recipe_.scale == "standard"
    assert model.recipe_.hidden == (16, 8)
    assert_begins_with(net, given, dtype)
    assert [layer.activation for layer in net.layers[:2]] == [on_layer(given.activation, number) for number in (1, 2)]
    hidden, wanted = (next(iter(each.hidden_batches(X)))[1][0] for each in (net, given))
    np.testing.assert_allclose(hidden, wanted, rtol=1e-5, atol=1e-6)
    model.set_params(learning_rate=0.1).fit(X, y)
    assert not np.array_equal(model.network_.layers[0].values, given.layers[0].values.astype(dtype))
    assert_begins_with(before, given, "float32")  # which fit has not changed


def test_fresh_layers_may_follow(samples):
    X, y = samples
    model = ts.SparseMLPClassifier((16, 8, 5), pretrained=encoder(X=X), density=0.5, **FAST).fit(X, y)
    assert model.network_.layer_sizes == (6, 16, 8, 5, 2)
    assert sum(layer.n_connections for layer in model.network_.layers[2:]) == 25


def test_several_networks_begin_alike(samples):
    X, y = samples
    given = encoder(X=X)
    model = ts.SparseMLPClassifier(pretrained=given, n_estimators=2, **FAST).fit(X, y)
    first, second = model._members.networks
    assert first.layers[0].connectivity == second.layers[0].connectivity == given.layers[0].connectivity
    assert not np.array_equal(first.layers[-1].values, second.layers[-1].values)


def test_clone_search_and_pickle(samples):
    X, y = samples
    model = ts.SparseMLPClassifier(pretrained=encoder(X=X), **FAST)
    assert clone(model).get_params()["pretrained"].layer_sizes == (6, 16, 8)
    wanted = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).fit(X, y).predict_proba(X), wanted)
    choices = {"learning_rate": [1e-30, 0.01], "pretrained": [None, model.pretrained]}
    search = GridSearchCV(clone(model).set_params(optimizer="adam"), choices, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    pipe = make_pipeline(FunctionTransformer(), clone(model))
    np.testing.assert_array_equal(pipe.fit(X, y).predict_proba(X), wanted)


def test_training_goes_on(samples):
    X, y = samples
    model = ts.SparseMLPClassifier(pretrained=encoder(X=X), warm_start=True, **FAST).fit(X, y)
    scaling = model.network_.scaling
    model = pickle.loads(pickle.dumps(model)).fit(X, y)
    assert model.n_iter_ == 6
    with pytest.raises(ts.InputError, match="for which pretrained was SparseMLP"):
        model.set_params(pretrained=None).fit(X, y)
    stream = ts.SparseMLPRegressor(pretrained=encoder(X=X), **FAST)
    for part in (slice(0, 32), slice(32, 64)):
        stream.partial_fit(100 * X[part], y[part])
    np.testing.assert_array_equal(stream.network_.scaling.factor, scaling.factor)  # that of the pretraining stays


def test_sparse_samples(samples):
    X, y = samples
    given = encoder(X=X)
    dense = ts.SparseMLPClassifier(pretrained=given, **FAST).fit(X, y)
    thin = ts.SparseMLPClassifier(pretrained=given, **FAST).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(dense.predict_proba(X), thin.predict_proba(X), rtol=1e-5)


def test_tables_are_encoded_as_in_pretraining():
    table, y = mixed_table(60)
    preprocessor = TablePreprocessor().fit(table)
    given = encoder(preprocessor.n_features_out_)
    given.preprocessor = preprocessor
    model = ts.SparseMLPClassifier(pretrained=given, **FAST).fit(table.iloc[:40], y[:40])
    assert model.preprocessor_ is preprocessor
    assert model.predict(table).shape == (60,)
    numbers = pd.DataFrame({"a": [1.0, np.nan] * 20, "b": np.arange(40.0)})  # a gap, which later samples lack
    preprocessor = TablePreprocessor().fit(numbers)
    given = encoder(preprocessor.n_features_out_)
    given.preprocessor = preprocessor
    stopped = ts.SparseMLPClassifier(pretrained=given, early_stopping=True, **FAST)
    assert stopped.fit(numbers.fillna(0), y[:40]).predict(numbers).shape == (40,)
    with pytest.raises(ts.InputError, match="must be a table"):
        ts.SparseMLPClassifier(pretrained=given, **FAST).fit(sp.eye_array(40, format="csr"), y[:40])
    with pytest.raises(ts.InputError, match="X has 3 columns, but the fitted table had 2"):
        ts.SparseMLPClassifier(pretrained=given, **FAST).fit(np.ones((40, 3)), y[:40])
    with pytest.raises(ts.InputError, match="pretrained was trained on plain numbers alone"):
        ts.SparseMLPClassifier(pretrained=encoder(), **FAST).fit(table, y)


def test_columns_must_be_those_of_the_pretraining(samples):
    X, y = samples
    given = encoder(X=X)
    given.feature_names = list("abcdef")
    model = ts.SparseMLPClassifier(pretrained=given, **FAST)
    assert model.fit(pd.DataFrame(X, columns=list("abcdef")), y).network_.feature_names == tuple("abcdef")
    with pytest.raises(ts.InputError, match="column 1 is 'c', not 'b'"):
        clone(model).fit(pd.DataFrame(X, columns=list("acbdef")), y)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"pretrained": "net"}, "pretrained must be a SparseMLP or None"),
        ({"hidden_layer_sizes": (16,)}, r"must begin with the sizes of pretrained, \(16, 8\)"),
        ({"hidden_layer_sizes": (8, 16)}, "must begin with"),
        ({"activation": "relu"}, "activation must be 'auto' with pretrained"),
        ({"scale": "none"}, "scale must be 'auto' with pretrained"),
        ({"alpha": 0.5}, "alpha must be None with pretrained"),
        ({"skip": True}, "skip must be None or False with pretrained"),
        ({"density": (0.5, 0.5, 0.5)}, "density must be one number"),
        ({"connectivity": "f_score"}, "connectivity must not be 'f_score'"),
        ({"connectivity": "csti"}, "connectivity must not be 'csti'"),
        ({"pretrained": encoder(5)}, "X has 6 features, but pretrained has 5 inputs"),
        ({"pretrained": ts.SparseMLP((6, 4, 2), epsilon=1, skip=True)}, "without a skip layer"),
        ({"pretrained": ts.SparseMLP((6, 4, 2), epsilon=1, storage="compact")}, "storage='indexed'"),
    ],
)
def test_what_does_not_fit_is_refused(samples, params, message):
    model = ts.SparseMLPClassifier(**({"pretrained": encoder()} | params | FAST))
    with pytest.raises(ts.InputError, match=message):
        model.fit(*samples)
    assert not hasattr(model, "network_")


def test_from_autoencoder(samples):
    X, y = samples
    autoencoder = ts.SparseAutoencoder((16, 8), epochs=2, random_state=0).fit(X)
    model = ts.SparseMLPClassifier.from_autoencoder(autoencoder, **FAST)
    codes, weights = autoencoder.transform(X), model.pretrained.layers[0].values.copy()
    np.testing.assert_array_equal(model.pretrained.predict(X), codes)
    autoencoder.partial_fit(X)
    np.testing.assert_array_equal(model.pretrained.layers[0].values, weights)
    assert ts.SparseMLPRegressor.from_autoencoder(autoencoder, **FAST).fit(X, y).network_.sizes_text == "6-16-8-1"
    with pytest.raises(ts.InputError, match="must be a fitted SparseAutoencoder"):
        ts.SparseMLPClassifier.from_autoencoder(model)
    with pytest.raises(ts.InputError, match="must be fitted"):
        ts.SparseMLPClassifier.from_autoencoder(ts.SparseAutoencoder())
    with pytest.raises(ts.InputError, match="pretrained must not be given"):
        ts.SparseMLPClassifier.from_autoencoder(autoencoder, pretrained=model.pretrained)
