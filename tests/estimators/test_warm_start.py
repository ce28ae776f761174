"""fit goes on with the network of the call before."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression

import trulysparse as ts
from estimators.tables import mixed_table
from trulysparse.estimators._warm_start import carry_on

FAST = dict(hidden_layer_sizes=(16,), epsilon=2, epochs=3, batch_size=16, random_state=0, warm_start=True)


@pytest.mark.parametrize(
    "optimizers, kept",
    [
        ((ts.Adam(0.01), ts.Adam(0.001)), True),
        ((ts.SGD(0.01, 0.9), ts.SGD(0.1, 0.5)), True),
        ((ts.SGD(0.01, 0.9), ts.SGD(0.1, 0)), False),
        ((ts.Adam(0.01), ts.SGD(0.01)), False),
    ],
)
def test_optimizer_state_is_carried_on_where_it_fits(rng, optimizers, kept):
    net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
    old, new = (ts.Trainer(net, optimizer=each, batch_size=16) for each in optimizers)
    old.fit(rng.normal(size=(64, 4)), np.arange(64) % 2, epochs=3)
    assert carry_on(old, new) is new
    assert new.step_count == 12
    assert new.state_updates == (12 if kept else 0)
    for was, now in zip(old.optimizer_state, new.optimizer_state, strict=True):
        assert len(now.weight) == optimizers[1].n_slots
        for slot, value in enumerate(now.weight):
            wanted = was.weight[slot] if kept else np.zeros_like(value)
            np.testing.assert_array_equal(value, wanted)


def test_evolution_and_scaling_go_on():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    network, scaling, steps = model.network_, model.network_.scaling, model._members.trainers[0].step_count
    connections = model.network_.layers[0].connectivity.by_input.index.copy()
    model.set_params(learning_rate=1e-12, evolution=None, epochs=1).fit(10 * X, y)
    assert model.network_ is network
    assert network.scaling is scaling
    assert model._members.trainers[0].step_count == steps + 10
    np.testing.assert_array_equal(network.layers[0].connectivity.by_input.index, connections)
    model.set_params(evolution="set", epochs=3).fit(X, y)
    assert not np.array_equal(network.layers[0].connectivity.by_input.index, connections)
    assert model.history_["epoch"] == [1, 2, 3, 4, 5, 6, 7]


def test_another_optimizer_begins_with_fresh_state():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    before = model.loss_
    model.set_params(optimizer="sgd", learning_rate=0.01).fit(X, y)
    assert model.loss_ < before
    assert isinstance(model._members.trainers[0].optimizer, ts.SGD)


@pytest.mark.parametrize("parallel", ["wasap", "wassp"])
def test_with_workers(parallel):
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST, n_jobs=2, parallel=parallel).fit(X, y).fit(X, y)
    assert model.n_iter_ == model.history_["epoch"][-1]
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_goes_on_after_partial_fit_and_the_other_way_round():
    X, y = make_regression(100, 5, random_state=0)
    model = ts.SparseMLPRegressor(**FAST).partial_fit(X, y)
    scale = model.target_scale_.copy()
    model.fit(X, 2 * y)
    np.testing.assert_array_equal(model.target_scale_, scale)  # in which the network has learned
    model.partial_fit(X, y)
    assert model.history_["epoch"] == [1, 2, 3, 4, 5]


def test_tables_keep_their_encoding():
    frame, y = mixed_table(100)
    model = ts.SparseMLPClassifier(**FAST).fit(frame, y)
    made = model.preprocessor_
    changed = frame.astype({"city": object})
    changed.loc[:9, "city"] = "Atlantis"
    assert model.fit(changed, y).preprocessor_ is made
    assert model.n_iter_ == 6


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(hidden_layer_sizes=(8,)), r"hidden_layer_sizes was \(16,\), not \(8,\)"),
        (dict(epsilon=5), "epsilon was 2, not 5"),
        (dict(activation="relu"), "activation was 'auto', not 'relu'"),
        (dict(scale="minmax"), "scale was 'auto', not 'minmax'"),
        (dict(dtype="float32"), "dtype was 'auto', not 'float32'"),
    ],
)
def test_a_parameter_that_makes_another_network_is_refused(change, message):
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ts.InputError, match=rf"warm_start=True goes on with .* for which {message}; give warm_start"):
        model.set_params(**change).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.set_params(warm_start=False).fit(X, y).n_iter_ == 3


def test_other_data_is_refused():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    with pytest.raises(ts.InputError, match=r"for which y's set of classes was \[0, 1, 2\], not \[0, 1\]"):
        model.fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="X has 3 features, but SparseMLPClassifier is expecting 4"):
        model.fit(X[:, :3], y)
    with pytest.raises(ts.InputError, match="y's form was 'one class per sample', not 'columns of labels'"):
        model.fit(X, np.eye(150, 3, dtype=int))
    assert model.classes_.tolist() == [0, 1, 2]
    X, y = make_multilabel_classification(60, 4, n_classes=3, random_state=0)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    with pytest.raises(ts.InputError, match=r"y's set of classes was \[0, 1, 2\], not \[0, 1\]"):
        model.fit(X, y[:, :2])
    regressor = ts.SparseMLPRegressor(**FAST).fit(X, X[:, :2])
    with pytest.raises(ts.InputError, match="the number of outputs was 2, not 3"):
        regressor.fit(X, X[:, :3])
    one = ts.SparseMLPRegressor(**FAST).fit(X, X[:, 0])
    with pytest.raises(ts.InputError, match="the number of y's dimensions was 1, not 2"):
        one.fit(X, X[:, :1])
