"""Files in blocks: the same samples as read whole."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

import trulysparse as ts
from sample_files import csr, libsvm, loaded, npy, parquet, small_blocks
from trulysparse.data.stream.blocks import CsrBlocks, LibsvmBlocks
from trulysparse.data.stream.matrix import StreamMatrix


@pytest.fixture
def table(rng):
    X = rng.normal(size=(103, 7)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


@pytest.mark.parametrize("kind", [npy, csr, libsvm, parquet])
def test_every_kind_of_file_gives_its_samples(kind, table, tmp_path, monkeypatch, rng):
    X, _ = table
    small_blocks(monkeypatch)
    found = kind(tmp_path, X)
    assert len(found.bounds) > 4
    matrix = StreamMatrix(found, buffer_bytes=3 * found.block_bytes)
    assert matrix.shape == X.shape
    order = matrix.order(np.arange(103), rng)
    np.testing.assert_array_equal(np.sort(order), np.arange(103))
    with matrix.reader(order) as reader:
        np.testing.assert_allclose(loaded(reader, order), X[order], rtol=1e-6)
    some = rng.integers(0, 103, 40)  # samples that nobody announced
    np.testing.assert_allclose(loaded(matrix, some), X[some], rtol=1e-6)
    part = matrix[np.arange(5, 90, 3)]
    np.testing.assert_allclose(loaded(part, np.arange(part.n_samples)), X[5:90:3], rtol=1e-6)
    for start in (0, 50):
        chunk = matrix.chunk(start, start + 30)
        chunk = chunk.toarray() if sp.issparse(chunk) else chunk
        np.testing.assert_allclose(chunk, X[start : start + 30], rtol=1e-6)


@pytest.mark.parametrize("from_zero", [True, False])
def test_libsvm_features_are_numbered_as_scikit_learn_does(tmp_path, rng, monkeypatch, from_zero):
    small_blocks(monkeypatch)
    X = sp.random_array((200, 9), density=0.4, rng=rng).tocsr()
    path = tmp_path / "x.libsvm"
    dump_svmlight_file(X, rng.integers(0, 2, 200), str(path), zero_based=from_zero, comment="made for a test")
    wanted, y = load_svmlight_file(str(path))
    found = LibsvmBlocks(path)
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_allclose(StreamMatrix(found).chunk(0, 200).toarray(), wanted.toarray(), rtol=1e-6)


def test_damaged_sparse_files(tmp_path, table):
    csr(tmp_path, table[0])
    indptr = np.load(tmp_path / "X_indptr.npy")
    np.save(tmp_path / "X_indptr.npy", indptr[:-1])
    with pytest.raises(ts.InputError, match="does not rise from 0"):
        CsrBlocks(tmp_path / "X")
    np.save(tmp_path / "X_indptr.npy", indptr)
    found = CsrBlocks(tmp_path / "X", n_features=3)
    with pytest.raises(ts.InputError, match="not below 3"):
        found.read(0)
