"""f_scores against scikit-learn's F statistics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_selection import f_classif, f_regression

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.f_scores import LARGEST, f_scores


@pytest.fixture
def samples(rng):
    X = rng.normal(size=(60, 30)) * rng.uniform(0.01, 100, 30) + rng.normal(size=30) * 100
    y = rng.integers(0, 4, 60)
    X[:, :5] += y[:, None] * 3
    return X, y


@pytest.mark.parametrize("scaled", [False, True])
def test_classes(samples, scaled):
    X, y = samples
    scaling = fit_scaling("standard", as_matrix(X)) if scaled else None
    np.testing.assert_allclose(f_scores(X, y, scaling=scaling), f_classif(X, y)[0], rtol=1e-6)


def test_sparse(rng):
    X = sp.random_array((80, 40), density=0.1, rng=rng, format="csr")
    y = rng.integers(0, 3, 80)
    wanted = np.nan_to_num(f_classif(X.toarray(), y)[0])
    np.testing.assert_allclose(f_scores(X, y), wanted, rtol=1e-6)
    np.testing.assert_allclose(
        f_scores(X, y, scaling=fit_scaling("standard", as_matrix(X))), wanted, rtol=1e-6, atol=1e-9
    )


def test_one_target_of_a_regression(samples, rng):
    X, _ = samples
    y = X[:, 0] + rng.normal(size=60)
    np.testing.assert_allclose(f_scores(X, y[:, None]), f_regression(X, y)[0], rtol=1e-6)
    np.testing.assert_allclose(f_scores(X, y), f_regression(X, y)[0], rtol=1e-6)


def test_several_labels_of_which_one_matters(samples, rng):
    X, y = samples
    X[:, :5] = y[:, None] + rng.normal(size=(60, 5)) * 0.1
    labels = np.column_stack([y > 1, rng.integers(0, 2, 60)]).astype(float)
    scores = f_scores(X, labels)
    assert scores[:5].min() > scores[5:].max()
    np.testing.assert_allclose(f_scores(X, sp.csr_array(labels)), scores)


def test_weights_are_repetitions(samples, rng):
    X, y = samples
    weight = rng.integers(0, 4, 60)
    again = np.repeat(np.arange(60), weight)
    np.testing.assert_allclose(f_scores(X, y, sample_weight=weight), f_classif(X[again], y[again])[0], rtol=1e-6)


def test_targets_of_any_size(samples):
    X, _ = samples
    np.testing.assert_allclose(f_scores(X, 1e299 * X[:, 0]), f_scores(X, X[:, 0]), rtol=1e-6)


def test_constant_and_separating_features_and_one_class():
    X = np.array([[1.0, 0.0, 5.0], [1.0, 0.0, 6.0], [1.0, 1.0, 5.0], [1.0, 1.0, 6.0]])
    y = np.array([0, 0, 1, 1])
    assert f_scores(X, y).tolist() == [0.0, LARGEST, 0.0]
    assert not f_scores(X, np.zeros(4, int)).any()
    assert not f_scores(X, np.ones((4, 1))).any()


def test_chunks_add_up(samples, monkeypatch):
    X, y = samples
    whole = f_scores(X, y)
    monkeypatch.setattr("trulysparse.data.matrix._CHUNK_BYTES", 2000)
    np.testing.assert_allclose(f_scores(X, y), whole, rtol=1e-9)


def test_wrong_sizes_are_refused(samples):
    X, y = samples
    with pytest.raises(ts.InputError, match="y has 59 samples, but X has 60"):
        f_scores(X, y[1:])
    X[3, 4] = np.nan
    with pytest.raises(ts.InputError, match=r"X\[3, 4\] is nan"):
        f_scores(X, y)
