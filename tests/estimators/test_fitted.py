"""Attributes that follow from network and history."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier

import trulysparse as ts
from trulysparse.report.connections import input_strength

FAST = dict(hidden_layer_sizes=(8, 6), epochs=5, batch_size=16, random_state=0)


def test_weights_and_biases_are_those_that_predict():
    """A forward pass in NumPy from the attributes alone, as scikit-learn's users write it."""
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST, activation="relu").fit(X, y)
    scaling = model.network_.scaling
    values = (X - scaling.offset) * scaling.factor
    for number, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        values = values @ weight.toarray() + bias
        values = np.maximum(values, 0) if number < 2 else values
    wanted = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), wanted, rtol=1e-6)


def test_attributes_have_the_form_of_scikit_learns():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    peer = MLPClassifier((8, 6), max_iter=5, random_state=0).fit(X, y)
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_iter_", "n_features_in_"):
        assert getattr(model, name) == getattr(peer, name), name
    assert [w.shape for w in model.coefs_] == [w.shape for w in peer.coefs_]
    assert [b.shape for b in model.intercepts_] == [b.shape for b in peer.intercepts_]
    assert len(model.loss_curve_) == len(peer.loss_curve_)
    assert (model.best_loss_, model.loss_) == (min(model.loss_curve_), model.loss_curve_[-1])
    assert model.validation_scores_ is peer.validation_scores_ is None
    assert model.best_validation_score_ is None
    regressor = ts.SparseMLPRegressor(**FAST).fit(X, y)
    assert (regressor.out_activation_, regressor.n_outputs_) == ("identity", 1)


@pytest.mark.parametrize("kind", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
def test_validation_scores_of_early_stopping(kind):
    X, y = load_iris(return_X_y=True)
    model = kind(**FAST, early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)


@pytest.mark.parametrize(
    "name", ["loss_curve_", "coefs_", "feature_importances_", "n_layers_", "best_loss_", "validation_scores_"]
)
def test_attributes_before_fit(name):
    model = ts.SparseMLPClassifier()
    assert not hasattr(model, name)
    with pytest.raises(NotFittedError):
        getattr(model, name)


def test_decision_function():
    X, y = load_iris(return_X_y=True)
    three = ts.SparseMLPClassifier(**FAST).fit(X, y)
    values = three.decision_function(X)
    np.testing.assert_array_equal(values.argmax(axis=1), three.predict(X))
    two = ts.SparseMLPClassifier(**FAST).fit(X[:100], y[:100])
    odds = two.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), two.predict_proba(X)[:, 1], rtol=1e-6)


def test_a_skip_layer_has_its_own_weights_and_adds_to_importance(digits):
    X, _, y, _ = digits
    model = ts.SparseMLPClassifier((20,), epochs=3, skip=True, skip_density=0.3, random_state=0).fit(X, y)
    net = model.network_
    assert [w.shape for w in model.coefs_] == [(64, 20), (20, 10)]
    assert len(model.intercepts_) == 2
    assert model.n_layers_ == 3
    assert model.skip_coef_.shape == (64, 10)
    assert model.skip_coef_.nnz == round(0.3 * 640)
    strength = np.abs(model.coefs_[0].toarray()).sum(1) + np.abs(model.skip_coef_.toarray()).sum(1)
    strength[net.scaling.factor == 0] = 0
    np.testing.assert_allclose(model.feature_importances_, strength / strength.sum(), rtol=1e-5)
    np.testing.assert_allclose(input_strength(net)[net.scaling.factor > 0], strength[net.scaling.factor > 0], rtol=1e-5)
    assert ts.SparseMLPClassifier((20,), epochs=1, random_state=0).fit(X, y).skip_coef_ is None
