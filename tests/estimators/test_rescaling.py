"""What was learned stays valid while the figures of inputs and targets change between calls of partial_fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from estimators.settings import SETTINGS


@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_learns_after_a_first_call_of_few_samples(task, scale, first, convert):
    X, y = convert(task[0]), task[1]
    model = ts.SparseMLPClassifier((16,), scale=scale, **SETTINGS)
    model.partial_fit(X[:first], y[:first], classes=[0, 1, 2])
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("spread", [0, 1e-9, 1e-3])
def test_learns_a_feature_that_was_almost_constant_in_the_first_call(rng, task, scale, spread):
    X, y = rng.normal(size=(120, 4)), task[1]
    first = X[:30].copy()
    first[:, 0] = 5 + spread * X[:30, 0]
    X[:, 0] = 4 * y
    model = ts.SparseMLPClassifier((16,), scale=scale, **SETTINGS)
    model.partial_fit(first, y[:30], classes=[0, 1, 2])
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_predictions_stay_when_figures_change(rng, scale, skip):
    """A learning rate of almost nothing leaves the change of figures alone."""
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] > 0).astype(int)
    model = ts.SparseMLPClassifier((16,), scale=scale, epochs=20, skip=skip, weight_decay=0.0, **SETTINGS).fit(X, y)
    target = ts.SparseMLPRegressor((16,), scale=scale, epochs=20, skip=skip, weight_decay=0.0, **SETTINGS).fit(
        X, X[:, :2]
    )
    if skip:
        assert np.abs(model.skip_coef_).max() > 0.1 < np.abs(target.skip_coef_).max()
    before, wanted = model.predict_proba(X), target.predict(X)
    for each in (model, target):
        each._members.optimizer = replace(each._members.optimizer, learning_rate=1e-15)
        factor = each.network_.scaling.factor
        each.partial_fit(3 * X + 2, y if each is model else 50 * X[:, :2] + 100)
        assert (each.network_.scaling.factor < 0.9 * factor).all()
    np.testing.assert_allclose(model.predict_proba(X), before, rtol=1e-6)
    np.testing.assert_allclose(target.predict(X), wanted, rtol=1e-6, atol=1e-8)
    assert target.target_scale_[0] > 10


@pytest.mark.parametrize("first", [1, 2, 100])
@pytest.mark.parametrize("unit", [1, 1e6, 1e-6])
def test_regressor_learns_whatever_the_first_targets_were(rng, first, unit):
    X = rng.normal(size=(200, 5))
    y = np.c_[X[:, 0] - X[:, 1], np.sin(X[:, 2])] * unit + 3 * unit
    model = ts.SparseMLPRegressor((30,), **SETTINGS)
    model.partial_fit(X[:first], np.zeros((first, 2)))
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9
