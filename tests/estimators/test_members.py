"""Estimators of several networks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts

FAST = {"hidden_layer_sizes": (12,), "epochs": 4, "batch_size": 16, "random_state": 0, "n_estimators": 3}


@pytest.mark.parametrize("kind", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
@pytest.mark.parametrize("skip", [False, True])
def test_network_is_the_mean_of_those_trained_alone(task, kind, skip):
    X, y = task
    model = kind(**FAST, skip=skip, n_jobs=1).fit(X, y)
    recipe = model.recipe_
    assert recipe.n_estimators == 3
    assert model.network_.layer_sizes[1] == 36
    outputs = []
    for number, net in enumerate(model._members.networks):
        assert net.seed == recipe.member(number).seed
        outputs.append(net.decision_function(X))
    np.testing.assert_allclose(model.network_.decision_function(X), np.mean(outputs, axis=0), rtol=1e-6, atol=1e-9)
    assert not np.allclose(outputs[0], outputs[1])
    again = kind(**FAST, skip=skip, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    assert len(model.history_) == 4
    if kind is ts.SparseMLPClassifier:
        np.testing.assert_array_equal(model.network_.predict(X), model.predict(X))


def test_first_network_is_the_one_that_would_be_alone(task):
    X, y = task
    several = ts.SparseMLPClassifier(**FAST).fit(X, y)
    alone = ts.SparseMLPClassifier(**{**FAST, "n_estimators": 1}).fit(X, y)
    np.testing.assert_array_equal(several._members.networks[0].layers[0].values, alone.network_.layers[0].values)


@pytest.mark.parametrize("kind", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
def test_partial_fit_warm_start_and_pickles_go_on(task, kind):
    X, y = task
    model = kind(**{**FAST, "skip": True, "weight_decay": 0.0})
    first = {"classes": np.unique(y)} if kind is ts.SparseMLPClassifier else {}
    model.partial_fit(X[:60], y[:60], **first)
    before = model.history_["loss"][-1]
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.history_["loss"][-1] < before
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    np.testing.assert_array_equal(twin.partial_fit(X, y).predict(X), model.partial_fit(X, y).predict(X))
    warm = kind(**FAST, warm_start=True).fit(X, y).fit(X, y)
    assert len(warm.history_) == 8


def test_early_stopping_is_of_each(task):
    X, y = task
    model = ts.SparseMLPClassifier(**{**FAST, "epochs": 40}, early_stopping=True, patience=2).fit(X, y)
    assert len(model.history_) < 40
    assert model.best_validation_score_ > 0.5


def test_default_is_several_networks_with_a_skip_layer(task):
    X, y = task
    model = ts.SparseMLPClassifier(epochs=2, random_state=0).fit(X, y)
    assert model.recipe_.n_estimators == 5
    assert model.network_.skip
    assert model.network_.layer_sizes == (4, 5000, 3)


def test_workers_cannot_share_several(task):
    with pytest.raises(ts.InputError, match="n_estimators above 1 cannot be combined with workers"):
        ts.SparseMLPClassifier(**FAST, parallel="wassp", n_jobs=2).fit(*task)
