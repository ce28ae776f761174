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


def test_huber_loss_is_not_drawn_by_single_targets_far_off(rng):
    X = rng.normal(size=(200, 3))
    y = X[:, 0] - X[:, 1]
    wrong = y.copy()
    wrong[::20] = 30
    settings = dict(hidden_layer_sizes=(32,), epochs=60, batch_size=16, learning_rate=0.01, random_state=0)
    squared, huber, smooth = (
        ts.SparseMLPRegressor(**settings, loss=loss).fit(X, wrong) for loss in ("squared_error", "huber", "smooth_l1")
    )
    error = [np.abs(model.predict(X) - y)[np.arange(200) % 20 > 0].mean() for model in (squared, huber)]
    assert error[1] < 0.7 * error[0]
    np.testing.assert_array_equal(huber.predict(X), smooth.predict(X))
    same = ts.SparseMLPRegressor(**settings, loss=ts.Huber(1.0)).fit(X, wrong)
    np.testing.assert_array_equal(huber.predict(X), same.predict(X))
    for wrong_loss in ("absolute", "softmax_cross_entropy", 3, ts.SoftmaxCrossEntropy()):
        with pytest.raises(ts.InputError, match="loss"):
            ts.SparseMLPRegressor(**settings, loss=wrong_loss).fit(X, y)


@pytest.mark.parametrize("parallel", [None, "wasap"])
def test_network_predicts_in_the_unit_of_the_targets(rng, tmp_path, parallel):
    X = rng.normal(size=(100, 3))
    y = 1000 + 50 * np.c_[X[:, 0], X[:, 1]]
    model = ts.SparseMLPRegressor((16,), epochs=4, random_state=0, n_jobs=2, parallel=parallel).fit(X, y)
    ts.save(model.network_, tmp_path / "m")
    np.testing.assert_array_equal(ts.load(tmp_path / "m").predict(X), model.predict(X))
    assert abs(model.predict(X).mean() - 1000) < 50
