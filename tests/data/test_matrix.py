"""Samples as users have them: every numeric type, values out of range, several threads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from sample_files import Counted
from trulysparse import _kernels
from trulysparse.data import Scaling, as_matrix, fit_scaling
from trulysparse.data.matrix import array_of_samples
from trulysparse.data.stream.matrix import StreamMatrix

TYPES = ["f2", ">f2", "f4", ">f4", "f8", ">f8", "g", "i1", ">i2", "i4", ">i8", "u1", ">u4", "u8", "?"]


def load(x, rows, scaling=None, dtype=np.float32):
    out = np.full((x.shape[1], _kernels.padded_batch(len(rows))), np.nan, dtype)
    as_matrix(x).load(np.asarray(rows), out, scaling, 2)
    return out[:, : len(rows)].T


@pytest.mark.parametrize("name", TYPES)
def test_sparse_samples_of_every_type_load_as_dense_ones(rng, name):
    dense = np.where(rng.random((20, 9)) < 0.5, rng.random((20, 9)) * 50, 0).astype(name)
    x = sp.csr_array(dense.astype(np.float64))
    x.data = x.data.astype(name)
    scaling = Scaling("standard", rng.random(9), rng.random(9))
    for part in (None, scaling):
        np.testing.assert_allclose(load(x, [3, 19, 0], part), load(dense, [3, 19, 0], part), rtol=1e-5, atol=1e-6)
    for kind in ("standard", "minmax"):
        found, wanted = fit_scaling(kind, as_matrix(x)), fit_scaling(kind, as_matrix(dense))
        np.testing.assert_allclose(found.offset, wanted.offset, rtol=1e-12)
        np.testing.assert_allclose(found.factor, wanted.factor, rtol=1e-12)


def test_array_of_samples_reads_no_more_than_it_needs(rng, tmp_path):
    x = rng.standard_normal((50, 3))
    assert array_of_samples(as_matrix(x)) is x
    assert array_of_samples(as_matrix(sp.csr_array(x))).shape == (50, 3)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(array_of_samples(as_matrix(mapped)), np.memmap)
    streamed = StreamMatrix(Counted(x, 8))
    np.testing.assert_array_equal(array_of_samples(streamed, 20), x[:20])
    np.testing.assert_array_equal(array_of_samples(streamed), x)


def test_values_that_lie_at_odd_addresses_load(rng):
    wanted = rng.random((30, 2))
    packed = np.zeros((30, 17), np.uint8)
    packed[:, 1:] = wanted.view(np.uint8).reshape(30, 16)
    x = np.lib.stride_tricks.as_strided(packed[0, 1:9].view(np.float64), (30, 2), (17, 8))
    np.testing.assert_allclose(load(x, [4, 29]), wanted[[4, 29]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [complex, "S3", "U3", object, "M8[s]"])
def test_samples_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(ts.InputError, match="X must hold numbers, not"):
        as_matrix(np.ones((3, 2)).astype(int).astype(dtype))


def test_rows_of_different_length_are_refused():
    with pytest.raises(ts.InputError, match=r"X must have shape .* rows differ in length"):
        as_matrix([[1, 2], [3]])


@pytest.mark.parametrize("value", [1e39, -1e39, 1e300])
@pytest.mark.parametrize("form", ["dense", "columns", "sparse", "frame", "longdouble"])
def test_value_beyond_float32_is_refused_everywhere(rng, form, value):
    X = rng.random((40, 5))
    X[7, 2] = X[9, 1] = value
    convert = {"dense": np.asarray, "columns": np.asfortranarray, "sparse": sp.csr_array, "longdouble": np.longdouble}
    if form == "frame":
        pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
        convert["frame"] = lambda a: pd.DataFrame(a, columns=range(5))
    x = convert[form](X)
    net, y, shown = (
        ts.SparseMLP((5, 10, 2), seed=0),
        np.arange(40) % 2,
        re.escape(str(np.asarray(x)[7, 2]) if form == "longdouble" else f"{value:g}"),
    )
    for predict in (net.predict_proba, net.predict, net.freeze().predict_proba, net.freeze(threads=2).predict):
        with pytest.raises(ts.InputError, match=rf"X\[7, '?2'?\] is {shown}.*; .* range of float32"):
            predict(x)
    with pytest.raises(ts.InputError, match=r"X\[0, '?2'?\] is .* range of float32"):
        net.freeze().predict(x[7:8])
    for train in (lambda: ts.Trainer(net).fit(x, y, epochs=1), lambda: ts.Trainer(net).step(x, y)):
        with pytest.raises(ts.InputError, match=rf"\] is {shown}.*; .* range of float32"):
            train()
    assert np.isfinite(ts.SparseMLP((5, 10, 2), dtype="float64", seed=0).predict_proba(x)).all()


@pytest.mark.parametrize("unit", [1e39, 1e300, 1e-39, 1e-300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_features_of_any_scale_load_scaled(rng, convert, kind, dtype, unit):
    x = rng.normal(size=(50, 6)) + 1
    wanted = load(x, range(50), fit_scaling(kind, as_matrix(x)), np.float64)
    scaled = convert(x * unit)
    found = load(scaled, range(50), fit_scaling(kind, as_matrix(scaled)), dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_readers_of_samples_in_memory_serve_several_threads(rng):
    x = rng.random((300, 20)).astype(np.float32)
    matrix = as_matrix(x)

    def work(seed: int) -> bool:
        rows, out = np.random.default_rng(seed).permutation(300)[:16], np.empty((20, 16), np.float32)
        with matrix.reader(rows) as reader:
            reader.load(rows, out, None, 1)
        return bool((x[rows] == out.T).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))
