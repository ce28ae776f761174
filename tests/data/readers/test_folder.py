"""Folders of .npy files: what is read, and what is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from sample_files import refused
from trulysparse.data.files import read


@pytest.fixture
def table(rng):
    X = rng.normal(size=(103, 7)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


@pytest.fixture
def folder(tmp_path, rng):
    np.save(tmp_path / "X.npy", rng.normal(size=(40, 3)))
    np.save(tmp_path / "y.npy", np.arange(40) % 2)
    return tmp_path


def test_labels_that_are_objects_or_cut_off_are_refused(folder):
    whole = (folder / "y.npy").read_bytes()
    for damaged in (whole[:-8], whole[:20], b""):
        (folder / "y.npy").write_bytes(damaged)
        refused(folder, r"y\.npy' is not a whole \.npy file")
    np.save(folder / "y.npy", np.array(["a", "b"] * 20, object))
    refused(folder, r"y\.npy' holds Python objects, which cannot be read without pickle")


def test_objects_among_the_test_labels_are_refused(folder):
    for name in ("X", "y"):
        (folder / f"{name}.npy").rename(folder / f"{name}_train.npy")
    np.save(folder / "X_test.npy", np.ones((4, 3)))
    np.save(folder / "y_test.npy", np.array([0, None, 1, 0]))
    refused(folder, r"y_test\.npy' holds Python objects")


def test_an_archive_called_npy_is_refused(folder):
    with (folder / "X.npy").open("wb") as file:
        np.savez(file, X=np.ones((40, 3)))
    refused(folder, "archive of arrays")


def test_row_pointers_of_floats_are_refused(tmp_path):
    matrix = sp.csr_array(np.eye(4))
    for part in ("indptr", "indices", "data"):
        np.save(tmp_path / f"X_{part}.npy", getattr(matrix, part).astype(float))
    np.save(tmp_path / "y.npy", np.arange(4) % 2)
    refused(tmp_path, r"X_indptr\.npy' must hold whole numbers")


def test_folder_parts_missing_or_damaged_are_named(tmp_path, table):
    X, y = table
    with pytest.raises(ts.InputError, match=r"has neither X\.npy nor"):
        read(str(tmp_path))
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(ts.InputError, match=r"has no y\.npy"):
        read(str(tmp_path))
    np.save(tmp_path / "y.npy", y)
    assert read(str(tmp_path)).X.shape == X.shape
    np.save(tmp_path / "X_train.npy", X[:80])
    np.save(tmp_path / "y_train.npy", y[:80])
    with pytest.raises(ts.InputError, match="has X_train, but no X_test"):
        read(str(tmp_path))
    np.save(tmp_path / "X_test.npy", X[80:])
    np.save(tmp_path / "y_test.npy", y[80:])
    assert read(str(tmp_path)).X_test.shape == (23, 7)
    whole = (tmp_path / "X_train.npy").read_bytes()
    for damaged, match in (
        (whole[:50], "not a whole"),
        (whole[:-4], "not a whole"),
        (b"", "not a whole"),
    ):
        (tmp_path / "X_train.npy").write_bytes(damaged)
        with pytest.raises(ts.InputError, match=match):
            read(str(tmp_path))
    np.save(tmp_path / "X_train.npy", np.asfortranarray(X))
    with pytest.raises(ts.InputError, match="column by column"):
        read(str(tmp_path))
    np.save(tmp_path / "X_train.npy", X[0])
    with pytest.raises(ts.InputError, match="in 2 dimensions"):
        read(str(tmp_path))
