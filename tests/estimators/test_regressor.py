"""The regressor: one and many targets, of any scale."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import make_regression

import trulysparse as ts


def test_regression_one_and_many_targets(rng):
    X, y = make_regression(600, 20, n_targets=3, noise=1, random_state=0)
    reg = ts.SparseMLPRegressor((100,), epochs=60, learning_rate=0.01, random_state=0).fit(X[:500], y[:500])
    assert reg.score(X[500:], y[500:]) > 0.9
    assert reg.predict(X).shape == (600, 3)
    one = ts.SparseMLPRegressor((100,), epochs=60, learning_rate=0.01, random_state=0).fit(
        X[:500], 1e6 + 1e-3 * y[:500, 0]
    )
    assert one.predict(X).shape == (600,)
    assert one.score(X[500:], 1e6 + 1e-3 * y[500:, 0]) > 0.9


@pytest.mark.parametrize("unit", [1e200, 1e299, 1e-200])
def test_targets_of_any_scale_are_learned(rng, unit):
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] - X[:, 1]) / 10 * unit
    model = ts.SparseMLPRegressor((30,), epochs=60, learning_rate=0.01, batch_size=16, random_state=0).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, y) > 0.9


def test_targets_and_predictions_beyond_the_range_are_refused(rng):
    X = rng.normal(size=(50, 4))
    y = np.full(50, 1e299)
    y[3] = -1e305
    with pytest.raises(ts.InputError, match=r"y\[3\] is -1e\+305; targets must lie between"):
        ts.SparseMLPRegressor((5,), epochs=1).fit(X, y)
    model = ts.SparseMLPRegressor((5,), epochs=1, random_state=0).fit(X, 1e299 * X[:, 0])
    model.network_.layers[-1].bias[:] = 1e12
    with pytest.raises(ts.InputError, match=r"the prediction for X\[0\] is beyond the range of float64"):
        model.predict(X)


def test_sparse_targets_are_refused(rng):
    X = rng.normal(size=(20, 4))
    for use in (ts.SparseMLPRegressor((5,)).fit, ts.SparseMLPRegressor((5,)).partial_fit):
        with pytest.raises(ts.InputError, match=r"y must be dense, not a sparse matrix of shape \(20, 2\)"):
            use(X, sp.csr_array(X[:, :2]))
