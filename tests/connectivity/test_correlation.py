"""Correlations against NumPy's in float64, of arrays and sparse matrices, with the same bits whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.connectivity import correlation
from trulysparse.connectivity.correlation import Correlation, as_samples


def of(X, most=10_000):
    return Correlation.of_samples(X, most, np.random.default_rng(0))


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e200])
def test_dense_values_are_numpys(scale):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 20)) + 5
    made = of(X * scale)
    np.testing.assert_allclose(made.with_all(np.arange(20)), np.corrcoef(X.T), atol=1e-5)
    assert made.varies.all()


def test_sparse_values_are_numpys():
    X = sp.random_array((500, 40), density=0.1, rng=np.random.default_rng(2), format="csr")
    X.data[::3] *= -1
    some = np.array([3, 30, 7])
    np.testing.assert_allclose(of(X).with_all(some), np.corrcoef(X.toarray().T)[:, some], atol=1e-5)


def test_repeated_entries_of_a_sparse_matrix_add_up():
    twice = sp.csr_array((np.array([1.0, 1, 3, 4]), np.array([0, 0, 1, 1]), np.array([0, 3, 4])), shape=(2, 2))
    np.testing.assert_allclose(of(twice).with_all(np.array([0])), [[1], [-1]], atol=1e-5)


def test_constant_features_have_no_correlation():
    X = np.random.default_rng(3).normal(size=(50, 4))
    X[:, 1], X[:, 2] = 0, 1e6 + 1e-12
    for given in (X, sp.csr_array(X)):
        made = of(given)
        assert made.varies.tolist() == [True, False, False, True]
        assert not made.with_all(np.arange(4))[1:3].any()
    assert not of(np.ones((1, 3))).varies.any()


def test_sums_have_no_rounding():
    """Whole numbers: any order of the samples, as other threads or libraries take, gives the same bits."""
    X = np.random.default_rng(4).standard_cauchy(size=(10_000, 30))
    made, other = of(X), of(X)
    order = np.random.default_rng(5).permutation(len(X))
    other.values[:] = made.values[order]
    assert (made.values == np.rint(made.values)).all()
    assert made.with_all(np.arange(30)).tobytes() == other.with_all(np.arange(30)).tobytes()


def test_a_part_of_the_samples(monkeypatch):
    X = np.random.default_rng(6).normal(size=(400, 5))
    assert of(X, 100).values.shape == (100, 5)
    assert of(sp.csr_array(X), 100).values.shape == (100, 5)
    monkeypatch.setattr(correlation, "_VALUES", 50 * 5)
    assert of(X).values.shape == (50, 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_what_is_not_finite_is_refused(form, bad):
    X = np.ones((4, 3))
    X[2, 1] = bad
    with pytest.raises(ts.InputError, match=r"X\[2, 1\] is (nan|inf)"):
        of(form(X))


def test_forms():
    assert as_samples([[1, 2], [3, 4]]).shape == (2, 2)
    assert as_samples(sp.coo_array([[1.0]])).format == "csr"
    for bad in (np.ones(3), np.array([["a"]]), np.empty((0, 3))):
        with pytest.raises(ts.InputError, match=r"numbers of shape \(n_samples, n_features\)"):
            as_samples(bad)
