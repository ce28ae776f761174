"""The door: every numeric type and memory storage_config, scaling, and the first position of what is not finite."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse import _kernels
from trulysparse.data import Scaling, as_matrix, check_finite, fit_scaling
from trulysparse.errors import InputError

TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f4"]


def load(x, rows, scaling=None, dtype=np.float32):
    out = np.full((x.shape[1], _kernels.padded_batch(len(rows))), np.nan, dtype)
    as_matrix(x).load(np.asarray(rows), out, scaling, 2)
    assert not out[:, len(rows) :].any()
    return out[:, : len(rows)].T


@pytest.mark.parametrize("name", TYPES)
def test_every_type_and_layout(rng, name):
    x = (rng.random((50, 130)) * 100).astype(name)
    rows = rng.permutation(50)[:33]
    scaling = Scaling("standard", rng.random(130), rng.random(130))
    for view in (x, np.asfortranarray(x), x[:, ::2], x[::-1]):
        part = scaling if view.shape[1] == 130 else None
        expected = view[rows].astype(np.float64)
        if part:
            expected = (expected - part.offset) * part.factor
        np.testing.assert_allclose(load(view, rows, part), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TYPES)
def test_a_single_sample(rng, name):
    x = (rng.random((5, 130)) * 100).astype(name)
    scaling = Scaling("standard", rng.random(130), rng.random(130))
    for part in (None, scaling):
        expected = x[[3]].astype(np.float64)
        if part:
            expected = (expected - part.offset) * part.factor
        np.testing.assert_allclose(load(x, [3], part), expected, rtol=1e-5, atol=1e-5)
    if np.dtype(name).kind == "f":
        x[3, 77], x[3, 101], x[1, 2] = np.nan, np.inf, np.nan
        with pytest.raises(InputError, match=r"X\[3, 77\] is nan"):
            load(x, [3])


def test_memory_map(rng, tmp_path):
    np.save(tmp_path / "x.npy", rng.integers(0, 255, (40, 20), dtype=np.uint8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(load(x, [3, 39, 0]), x[[3, 39, 0]])


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_sparse(rng, kind):
    dense = rng.standard_normal((30, 40)) * (rng.random((30, 40)) < 0.2)
    x = kind(dense)
    scaling = Scaling("standard", rng.random(40), rng.random(40))
    np.testing.assert_allclose(load(x, [5, 29, 0]), dense[[5, 29, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        load(x, [5, 29, 0], scaling), (dense[[5, 29, 0]] - scaling.offset) * scaling.factor, rtol=1e-5, atol=1e-6
    )


def test_data_frame(rng):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame({"a": rng.random(9), "b": rng.integers(0, 5, 9), "c": rng.random(9) > 0.5})
    np.testing.assert_allclose(load(frame, [8, 2]), frame.to_numpy(np.float64)[[8, 2]], rtol=1e-6)
    frame.loc[4, "a"] = np.nan
    with pytest.raises(InputError, match=r"X\[4, 'a'\] is nan"):
        load(frame, [2, 4])
    with pytest.raises(InputError, match="column 'd' holds"):
        as_matrix(frame.assign(d="text"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_first_position_that_is_not_finite(rng, value):
    x = rng.random((100, 70))
    x[60, 3] = x[60, 69] = x[80, 0] = value
    with pytest.raises(InputError, match=r"X\[60, 3\] is"):
        check_finite(as_matrix(x))
    with pytest.raises(InputError, match=r"X\[60, 3\] is"):
        load(x, [1, 60, 80])
    with pytest.raises(InputError, match=r"X\[60, 3\] is"):
        check_finite(as_matrix(sp.csr_array(x)))
    with pytest.raises(InputError, match=r"X\[80, 0\] is"):
        load(sp.csr_array(x), [2, 80])


def test_scaling_figures(rng):
    x = rng.standard_normal((500, 6)) * [1, 10, 100, 1e-6, 1e6, 1] + [0, 5, -3, 1e-3, 1e7, 9]
    x[:, 5] = 7.25  # constant
    for source in (x, sp.csr_array(x)):
        scaling = fit_scaling("standard", as_matrix(source))
        scaled = (x - scaling.offset) * scaling.factor
        np.testing.assert_allclose(scaled[:, :5].mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(scaled[:, :5].std(axis=0), 1, rtol=1e-6)
        assert not scaled[:, 5].any()
        scaling = fit_scaling("minmax", as_matrix(source))
        scaled = (x - scaling.offset) * scaling.factor
        np.testing.assert_allclose(scaled[:, :5].min(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(scaled[:, :5].max(axis=0), 1)
        assert not scaled[:, 5].any()
    assert fit_scaling("none", as_matrix(x)) is None


def test_a_deviation_of_exactly_one_is_not_constant():
    x = np.array([[-1.0], [1.0]])
    assert fit_scaling("standard", as_matrix(x)).factor[0] == 1.0


def test_scaling_works_chunk_by_chunk(rng, monkeypatch):
    x = rng.random((1000, 8))
    whole = fit_scaling("standard", as_matrix(x))
    monkeypatch.setattr("trulysparse.data.matrix._CHUNK_BYTES", 8 * 8 * 37)
    parts = fit_scaling("standard", as_matrix(x))
    np.testing.assert_allclose(parts.offset, whole.offset, rtol=1e-12)
    np.testing.assert_allclose(parts.factor, whole.factor, rtol=1e-12)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(5),
        np.zeros((2, 2, 2)),
        np.array([["a"]]),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((2, 2), complex),
    ],
)
def test_unusable_x_is_refused(x):
    with pytest.raises(InputError, match=r"^X "):
        as_matrix(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 3), (70, 16, 16), (64, 48, 35), (130, 128, 100)])
@pytest.mark.parametrize("threads", [1, 3])
def test_columns_are_stored_as_samples(rng, dtype, shape, threads):
    features, columns, n = shape
    values, factor = rng.standard_normal((features, columns)).astype(dtype), rng.random(features)
    out = np.full((n, features), np.nan, dtype)
    _kernels.store_dense(values, None, out, threads)
    np.testing.assert_array_equal(out, values[:, :n].T)
    _kernels.store_dense(values[:, :n], factor, out, threads)
    np.testing.assert_array_equal(out, values[:, :n].T * factor.astype(dtype))


def test_columns_of_another_size_are_not_stored():
    with pytest.raises(ValueError, match="another number of columns"):
        _kernels.store_dense(np.zeros((3, 4)), None, np.zeros((2, 2)), 1)
    with pytest.raises(ValueError, match="more rows than there are samples"):
        _kernels.store_dense(np.zeros((3, 4)), None, np.zeros((5, 3)), 1)
    with pytest.raises(ValueError, match="lie apart"):
        _kernels.store_dense(np.zeros((4, 3)).T, None, np.zeros((4, 3)), 1)
