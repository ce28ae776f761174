"""Figures of scaling against scikit-learn's scalers, and their time for wide sparse samples."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import trulysparse as ts
from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.matrix import chunks
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.data.stream.matrix import StreamMatrix


@pytest.fixture
def table(rng):
    x = rng.normal(size=(400, 7)) * [1, 10, 1e-6, 1e6, 1, 1, 0] + [0, 5, 1e-3, 1e7, 9, 0, 7.25]
    x[rng.random((400, 7)) < 0.3] = 0
    x[:, 6] = 7.25
    return x


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_array])
def test_standard_figures_are_those_of_scikit_learn(table, rng, convert, weighted, monkeypatch):
    weight = rng.random(400) * (rng.random(400) < 0.8) if weighted else None
    wanted = StandardScaler().fit(table, sample_weight=weight)
    for chunk_bytes in (32 << 20, 3000):
        monkeypatch.setattr("trulysparse.data.matrix._CHUNK_BYTES", chunk_bytes)
        found = fit_scaling("standard", as_matrix(convert(table)), weight)
        np.testing.assert_allclose(found.offset, wanted.mean_, rtol=1e-9)
        np.testing.assert_allclose(found.factor[:6], 1 / wanted.scale_[:6], rtol=1e-9)
        assert found.factor[6] == 0


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_array])
def test_minmax_figures_are_those_of_scikit_learn(table, convert, monkeypatch):
    wanted = MinMaxScaler().fit(table)
    for chunk_bytes in (32 << 20, 3000):
        monkeypatch.setattr("trulysparse.data.matrix._CHUNK_BYTES", chunk_bytes)
        found = fit_scaling("minmax", as_matrix(convert(table)))
        np.testing.assert_allclose(found.offset, wanted.data_min_, rtol=1e-12)
        np.testing.assert_allclose(found.factor[:6], wanted.scale_[:6], rtol=1e-12)
        assert found.factor[6] == 0


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_figures_of_parts_are_those_of_the_whole(table, kind):
    figures = ScalingFigures(kind, 7)
    for start, stop in ((0, 1), (1, 3), (3, 200), (200, 400)):
        found = figures.add(as_matrix(table[start:stop]))
    wanted = fit_scaling(kind, as_matrix(table))
    np.testing.assert_allclose(found.offset, wanted.offset, rtol=1e-9)
    np.testing.assert_allclose(found.factor, wanted.factor, rtol=1e-9)


class _Wide:
    """Blocks of samples with few of a million features."""

    def __init__(self, x: sp.csr_array) -> None:
        self._x, self.n_features, self.block_bytes = x, x.shape[1], 30_000
        self.bounds = np.arange(0, x.shape[0] + 1, 25)

    def read(self, block: int) -> sp.csr_array:
        return self._x[self.bounds[block] : self.bounds[block + 1]]


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("wrap", [as_matrix, lambda x: StreamMatrix(_Wide(x))], ids=["memory", "stream"])
def test_scaling_of_wide_sparse_samples_passes_over_all_features_once(rng, wrap, kind):
    n, width, stored = 200, 1_000_000, 100
    index = np.sort(rng.integers(0, width, (n, stored)), axis=1).ravel()
    x = sp.csr_array((rng.random(n * stored), index, np.arange(0, n * stored + 1, stored)), shape=(n, width))
    x.sum_duplicates()
    samples = wrap(x)
    assert len(list(chunks(samples))) == 1  # each costs a pass over all features
    found = fit_scaling(kind, samples)
    some = np.unique(index)[:: n * stored // 50]
    wanted = fit_scaling(kind, as_matrix(x[:, some].toarray()))
    np.testing.assert_allclose(found.offset[some], wanted.offset, rtol=1e-9)
    np.testing.assert_allclose(found.factor[some], wanted.factor, rtol=1e-9)


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp < 2000, reason="long doubles are doubles here")
@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_figures_of_values_beyond_float64_are_refused(table, convert, kind):
    far = table.astype(np.longdouble)
    far[300, 2] = np.longdouble("1e4000")
    with pytest.raises(ts.InputError, match=r"X\[300, 2\] is 1e\+4000; features must lie within .* float64"):
        fit_scaling(kind, as_matrix(convert(far)))


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_figures_of_values_that_are_not_finite_are_refused(table, convert, kind, value):
    table[300, 2] = value
    with pytest.raises(ts.InputError, match=rf"X\[300, 2\] is {value}; features must be finite"):
        fit_scaling(kind, as_matrix(convert(table)))


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_only_some_features_are_scaled(rng, kind):
    """A rare category, standardised, would be multiplied by a huge factor."""
    X = np.c_[rng.standard_normal(1000) * 9, np.arange(1000) == 3]
    found, wanted = fit_scaling(kind, as_matrix(X), scaled=np.array([True, False])), fit_scaling(kind, as_matrix(X))
    assert (found.offset[0], found.factor[0]) == (wanted.offset[0], wanted.factor[0])
    assert (found.offset[1], found.factor[1]) == (0, 1)
    assert fit_scaling("none", as_matrix(X), scaled=np.array([True, False])) is None


def counts(rng):
    """Words: most values 0, most words rare."""
    return rng.poisson(np.linspace(0.01, 0.6, 40) ** 2, (300, 40)).astype(np.float32)


@pytest.mark.parametrize("sparse", [False, True])
def test_moderated_divides_by_the_median_deviation_at_least(rng, sparse):
    X = counts(rng)
    X[:, 3] = 5
    scaling = fit_scaling("moderated", as_matrix(sp.csr_array(X) if sparse else X))
    deviation = X.astype(np.float64).std(axis=0)
    least = np.median(deviation[deviation > 0])
    wanted = np.where(deviation > 0, 1 / np.maximum(deviation, least), 0)
    np.testing.assert_allclose(scaling.factor, wanted, rtol=1e-6)
    np.testing.assert_allclose(scaling.offset, X.mean(axis=0), rtol=1e-6)
    assert scaling.kind == "moderated"


def test_auto_is_moderated_where_most_values_are_zero_and_none_is_negative(rng):
    X = counts(rng)
    for samples, kind in [(X, "moderated"), (sp.csr_array(X), "moderated"), (-X, "standard"), (X + 1, "standard")]:
        assert fit_scaling("auto", as_matrix(samples)).kind == kind
    for samples in (X, X + 1):
        chosen = fit_scaling("auto", as_matrix(samples))
        given = fit_scaling(chosen.kind, as_matrix(samples))
        np.testing.assert_array_equal(chosen.factor, given.factor)


def test_first_samples_decide_for_those_that_come_later(rng):
    X = counts(rng)
    figures = ScalingFigures("auto", 40)
    assert figures.add(as_matrix(X)).kind == "moderated"
    assert figures.add(as_matrix(X + 1)).kind == "moderated"


def test_constant_samples_stay_zero():
    assert not fit_scaling("moderated", as_matrix(np.ones((5, 3)))).factor.any()


@pytest.mark.parametrize("kind", ["standard", "moderated", "minmax", "auto"])
def test_figures_go_on_after_a_file(table, kind):
    figures = ScalingFigures(kind, 7)
    figures.add(as_matrix(table[:200]))
    again = ScalingFigures.of(figures.kind, {name: array.copy() for name, array in figures.arrays().items()}, 7)
    first, second = figures.add(as_matrix(table[200:])), again.add(as_matrix(table[200:]))
    np.testing.assert_array_equal(first.offset, second.offset)
    np.testing.assert_array_equal(first.factor, second.factor)
    assert first.kind == second.kind != "auto"


def test_figures_of_a_file_that_do_not_fit_are_refused(table):
    for kind in ("standard", "minmax"):
        figures = ScalingFigures(kind, 7)
        figures.add(as_matrix(table))
        arrays = figures.arrays()
        with pytest.raises(ts.InputError, match=r"shape \(6,\)"):
            ScalingFigures.of(kind, arrays, 6)
        with pytest.raises(ts.InputError, match="float64"):
            ScalingFigures.of(kind, {name: each.astype(np.float32) for name, each in arrays.items()}, 7)
        with pytest.raises(ts.InputError, match="must be"):
            ScalingFigures.of(kind, {}, 7)
    with pytest.raises(ts.InputError, match="scale must be one of standard"):
        ScalingFigures.of("none", {}, 7)
