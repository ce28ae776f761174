""".mat files of either kind: what SciPy wrote, and HDF5 as MATLAB writes it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sample_files import fails, read_as, refused
from trulysparse.data.files import read


@pytest.fixture
def X(rng):
    return rng.normal(size=(6, 3))


def save(path, **arrays):
    scipy.io.savemat(path, arrays)
    return path


@pytest.mark.parametrize(
    ("names", "notes"),
    [
        (("X", "y"), []),
        (("x", "Y"), ["arrays: X is 'x', y is 'Y'"]),
        (("fea", "gnd"), ["X: 'fea', y: 'gnd'"]),
    ],
)
@pytest.mark.parametrize("column", [True, False])
def test_samples_and_labels_are_found(tmp_path, X, names, notes, column):
    y = np.arange(6) % 2
    path = save(tmp_path / "x.mat", **{names[0]: X, names[1]: y[:, None] if column else y[None]})
    if notes and notes[0].startswith("X:"):
        path = save(path, **{names[0]: X, names[1]: y})
    table = read(str(path))
    np.testing.assert_array_equal(table.X, X)
    assert (table.y.tolist(), table.notes) == ([0, 1] * 3, notes)


def test_sparse_samples_stay_sparse(tmp_path, rng):
    X = sp.random_array((9, 5), density=0.4, rng=rng)
    table = read(str(save(tmp_path / "x.mat", X=X.tocsc(), Y=np.arange(9))))
    assert isinstance(table.X, sp.csr_array)
    np.testing.assert_array_equal(table.X.toarray(), X.toarray())


@pytest.mark.parametrize("labels", [np.array(["ab", "c", "ab"]), np.array(["ab", "c", "ab"], dtype=object)])
def test_labels_may_be_text(tmp_path, labels):
    assert read(str(save(tmp_path / "x.mat", X=np.ones((3, 2)), y=labels))).y.tolist() == ["ab", "c", "ab"]


def test_a_training_and_a_test_set_are_read(tmp_path, X):
    table = read(str(save(tmp_path / "x.mat", x_train=X, y_train=np.arange(6), x_test=X[:2], y_test=[1, 0])))
    assert (table.X.shape, table.X_test.shape, table.y_test.tolist()) == ((6, 3), (2, 3), [1, 0])


def test_what_cannot_be_told_is_refused(tmp_path, X):
    refused(save(tmp_path / "x.mat", a=X, b=X), r"no array 'X', and not one matrix that could be meant.*a \(6, 3\)")
    refused(save(tmp_path / "x.mat", a=X, b=np.ones(6), c=np.ones(6)), "no array 'y', and not one vector of 6 values")
    refused(save(tmp_path / "x.mat", X=X), "has no array 'y'")
    refused(save(tmp_path / "x.mat", X=np.array([["a", "b"]], dtype=object), y=[1]), "holds text as X")
    assert read_as(save(tmp_path / "x.mat", a=X), need_target=False).X.shape == (6, 3)


def test_damage_ends_in_one_sentence(tmp_path, X, rng):
    path = save(tmp_path / "x.mat", X=X, y=np.arange(6))
    good, failed = path.read_bytes(), 0
    for number in range(100):
        bad = bytearray(good[: None if number % 3 else rng.integers(len(good))])
        for at in rng.integers(0, len(bad), 2) if bad else ():
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        failed += fails(path)
    assert failed > 30


def hdf5(path, sparse=None, cells=None, **arrays):
    """A file of version 7.3, as MATLAB lays it out: transposed, with the class of each variable."""
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra trulysparse[omics]")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.asarray(array).T).attrs["MATLAB_class"] = np.bytes_("double")
        if sparse is not None:
            group, matrix = file.create_group("X"), sparse.tocsc()
            group.attrs["MATLAB_class"], group.attrs["MATLAB_sparse"] = np.bytes_("double"), matrix.shape[0]
            for name, part in (("data", matrix.data), ("ir", matrix.indices), ("jc", matrix.indptr)):
                group[name] = part.astype(np.uint64) if name != "data" else part
        if cells is not None:
            parts = []
            for i, text in enumerate(cells):
                part = file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in text], np.uint16))
                part.attrs["MATLAB_class"] = np.bytes_("char")
                parts.append(part.ref)
            cell = file.create_dataset("y", data=np.array([parts], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
    raw, head = bytearray(path.read_bytes()), b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
    raw[: len(head)] = head
    path.write_bytes(raw)
    return path


def test_a_newer_file_is_the_same(tmp_path, X, rng):
    table = read(str(hdf5(tmp_path / "x.mat", X=X, Y=(np.arange(6) % 2)[:, None])))
    np.testing.assert_array_equal(table.X, X)
    assert table.y.tolist() == [0, 1] * 3
    matrix = sp.random_array((9, 5), density=0.4, rng=rng)
    table = read(str(hdf5(tmp_path / "x.mat", sparse=matrix, y=np.arange(9.0)[:, None])))
    assert isinstance(table.X, sp.csr_array)
    np.testing.assert_array_equal(table.X.toarray(), matrix.toarray())
    assert read(str(hdf5(tmp_path / "x.mat", X=X[:2], cells=["ab", "c"]))).y.tolist() == ["ab", "c"]


def test_a_newer_file_that_is_cut_off_is_refused(tmp_path, X):
    path = hdf5(tmp_path / "x.mat", X=X, y=np.arange(6.0))
    path.write_bytes(path.read_bytes()[:900])
    refused(path, "not a whole .mat file")
