"""partial_fit: figures of scaling from all calls, no evolution, one schedule."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import trulysparse as ts
from estimators.settings import SETTINGS


def test_partial_fit(digits):
    X, X_test, y, y_test = digits
    clf = ts.SparseMLPClassifier((100,), optimizer="sgd", learning_rate=0.05, random_state=0)
    with pytest.raises(ts.InputError, match="classes must be given"):
        clf.partial_fit(X[:10], y[:10])
    for _ in range(15):
        for part in np.array_split(np.arange(len(X)), 4):
            clf.partial_fit(X[part], y[part], classes=np.arange(10))
    assert clf.score(X_test, y_test) > 0.93
    with pytest.raises(ts.InputError, match="not among classes"):
        clf.partial_fit(X[:2], [0, 77])
    with pytest.raises(ts.InputError, match="differ"):
        clf.partial_fit(X[:2], y[:2], classes=[0, 1])
    X, y = make_regression(400, 10, noise=1, random_state=0)
    reg = ts.SparseMLPRegressor((50,), learning_rate=0.01, random_state=0)
    for _ in range(60):
        reg.partial_fit(X, y)
    assert reg.score(X, y) > 0.95


@pytest.mark.parametrize(("scale", "scaler"), [("standard", StandardScaler()), ("minmax", MinMaxScaler())])
def test_figures_are_those_of_all_samples_so_far(rng, scale, scaler):
    model = ts.SparseMLPClassifier((8,), scale=scale, **SETTINGS)
    for size in (1, 2, 30, 200):
        X = rng.normal(size=(size, 5)) * rng.random(5) * size + rng.normal(size=5)
        model.partial_fit(X, np.arange(size) % 2, classes=[0, 1])
        scaler.partial_fit(X)
    found = model.network_.scaling
    if scale == "standard":
        np.testing.assert_allclose(found.offset, scaler.mean_, rtol=1e-9)
        np.testing.assert_allclose(found.factor, 1 / scaler.scale_, rtol=1e-9)
    else:
        np.testing.assert_allclose(found.offset, scaler.data_min_, rtol=1e-9)
        np.testing.assert_allclose(found.factor, scaler.scale_, rtol=1e-9)


@pytest.mark.parametrize("evolution", ["set", "rigl", "deepr", "snfs", "gse", "dsr"])
def test_partial_fit_leaves_the_topology_alone(task, evolution):
    X, y = np.tile(task[0], (10, 1)), np.tile(task[1], 10)
    method = ts.DeepR() if evolution == "deepr" else evolution
    model = ts.SparseMLPClassifier((16, 16), **{**SETTINGS, "epsilon": 2}, evolution=method, epochs=3)
    for number in range(4):
        model.partial_fit(X, y, classes=[0, 1, 2])
        layers = model.network_.layers
        if not number:
            before = [layer.connectivity.by_input.index.copy() for layer in layers]
    for layer, index in zip(model.network_.layers, before, strict=True):
        np.testing.assert_array_equal(layer.connectivity.by_input.index, index)


@pytest.mark.parametrize("parallel", [None, "wasap", "wassp"])
def test_learning_rate_goes_on_from_call_to_call(task, parallel):
    X, y = task
    rates = {}
    for name, rate in (("step", ts.StepRate(0.1, every=1, factor=0.5)), ("cosine", ts.CosineRate(0.1))):
        settings = {**SETTINGS, "n_jobs": 2}
        model = ts.SparseMLPClassifier((16,), optimizer=ts.SGD(rate), epochs=4, parallel=parallel, **settings)
        for _ in range(6):
            model.partial_fit(X, y, classes=[0, 1, 2])
        rates[name] = model.history_["learning_rate"]
        assert model.history_["epoch"] == [1, 2, 3, 4, 5, 6]
    if parallel is None:
        np.testing.assert_allclose(rates["step"], [0.1 * 0.5**k for k in range(6)])
        np.testing.assert_allclose(rates["cosine"][:4], [0.05 * (1 + np.cos(np.pi * k / 4)) for k in range(4)])
    elif parallel == "wasap":  # of the call's last update
        np.testing.assert_allclose(rates["step"], [0.1 * 0.5**k for k in range(6)])
        assert all(np.diff(rates["cosine"][:4]) < 0)
    else:  # times 2, reached in 5 epochs
        assert all(np.diff([rate / 0.5**k for k, rate in enumerate(rates["step"][:5])]) > 0)


def test_learning_rate_goes_on_after_fit(task):
    X, y = task
    rate = ts.StepRate(0.1, every=1, factor=0.5)
    model = ts.SparseMLPClassifier((16,), optimizer=ts.SGD(rate), epochs=3, random_state=0).fit(X, y)
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.history_["learning_rate"], [0.1 * 0.5**k for k in range(4)])
    assert model.n_iter_ == 4
