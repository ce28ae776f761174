"""partial_fit: figures of scaling from all calls, what was learned stays valid, no evolution, one schedule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import trulysparse as ts

SETTINGS = dict(epsilon=10, learning_rate=0.01, batch_size=16, random_state=0, n_jobs=1)


@pytest.fixture
def task(rng):
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 4))
    X[:, 1] += 4 * y
    return X, y


@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_learns_after_a_first_call_of_few_samples(task, scale, first, convert):
    X, y = convert(task[0]), task[1]
    model = ts.SparseMLPClassifier((16,), scale=scale, **SETTINGS)
    model.partial_fit(X[:first], y[:first], classes=[0, 1, 2])
    for _ in range(150):
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
    for _ in range(150):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9


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


@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_predictions_stay_when_figures_change(rng, scale):
    """A learning rate of almost nothing leaves the change of figures alone."""
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] > 0).astype(int)
    model = ts.SparseMLPClassifier((16,), scale=scale, epochs=20, **SETTINGS).fit(X, y)
    target = ts.SparseMLPRegressor((16,), scale=scale, epochs=20, **SETTINGS).fit(X, X[:, :2])
    before, wanted = model.predict_proba(X), target.predict(X)
    for each in (model, target):
        each._optimizer = replace(each._optimizer, learning_rate=1e-15)
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
