""".npz files: what is read, and what is refused in one sentence."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

from sample_files import fails, read_as, refused
from trulysparse.data.files import read


def test_images_become_rows(tmp_path, rng):
    X = rng.integers(0, 255, (6, 4, 4), np.uint8)
    np.savez(tmp_path / "x.npz", X_train=X, y_train=[0, 1] * 3, X_test=X[:2], y_test=[0, 1])
    table = read(str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(table.X, X.reshape(6, 16))
    assert (table.X_test.shape, table.y.tolist(), table.y_test.tolist()) == ((2, 16), [0, 1] * 3, [0, 1])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_matrices_of_save_npz_are_read(tmp_path, rng, form):
    X = sp.random_array((9, 5), density=0.4, rng=rng)
    sp.save_npz(tmp_path / "x.npz", X.asformat(form))
    refused(tmp_path / "x.npz", "has no array 'y'")
    np.testing.assert_array_equal(read_as(str(tmp_path / "x.npz"), need_target=False).X.toarray(), X.toarray())
    with np.load(tmp_path / "x.npz") as archive:
        np.savez(tmp_path / "y.npz", y=np.arange(9) % 2, **archive)
    table = read(str(tmp_path / "y.npz"))
    assert (table.X.shape, table.y.tolist()) == ((9, 5), [0, 1] * 4 + [0])


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_a_matrix_whose_indices_do_not_fit_is_refused(tmp_path, rng, form):
    X = sp.random_array((9, 5), density=0.4, rng=rng).asformat(form)
    sp.save_npz(tmp_path / "x.npz", X)
    with np.load(tmp_path / "x.npz") as archive:
        arrays = dict(archive)
    arrays["row" if form == "coo" else "indices"][3] = 10**6
    np.savez(tmp_path / "x.npz", y=np.arange(9) % 2, **arrays)
    refused(tmp_path / "x.npz", "not a whole .npz file")


def test_names_that_are_missing_are_told_without_a_word_of_pickle(tmp_path):
    np.savez(tmp_path / "x.npz", Z=[1])
    refused(tmp_path / "x.npz", r"^DATA: '[^']*' has no array 'X'; .* \(it has Z\)$")


@pytest.mark.parametrize("more", ["X_test", "y_test", "X_train"])
@pytest.mark.parametrize("name", ["X", "y"])
def test_parts_of_both_kinds_of_names_are_refused(tmp_path, name, more):
    arrays = {"X": np.ones((2, 1)), "y": [0, 1]} if name == "X" else {"y": [0, 1]}
    np.savez(tmp_path / "x.npz", **arrays, **{more: np.ones((2, 1))})
    refused(tmp_path / "x.npz", f"has {name} and {more}; .* not parts of both")


def test_python_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", X=np.ones((2, 1)), y=np.array(["a", "b"], object))
    refused(tmp_path / "x.npz", "Python objects in 'y', which cannot be read without pickle")


def declared(shape: str) -> bytes:
    """A .npy file whose header declares a shape that its values do not fill."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)


@pytest.mark.parametrize("shape", ["(3000000000000,)", "(10, 2)", "(-3, 2)", "(99999999999999999999, 2)", "'x'", "(("])
def test_a_shape_that_is_not_there_is_refused(tmp_path, shape):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", declared(shape))
        archive.writestr("y.npy", declared("(10,)"))
    refused(tmp_path / "x.npz", "not a whole .npz file|does not fit in memory")
    for name in ("X", "y"):
        (tmp_path / f"{name}.npy").write_bytes(declared(shape if name == "X" else "(10,)"))
    refused(tmp_path, "not a whole .npy file|does not fit in memory|in 2 dimensions")


def test_what_only_looks_like_an_archive_is_refused(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.ones(3))
    refused(tmp_path / "x.npz", "a single array")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X", b"no array")
        archive.writestr("y", b"no array")
    refused(tmp_path / "x.npz", "something else than an array")
    (tmp_path / "x.npz").write_bytes(b"nothing of the kind")
    refused(tmp_path / "x.npz", "not a whole .npz file")


def test_damage_ends_in_one_sentence(tmp_path, rng):
    np.savez_compressed(tmp_path / "x.npz", X=rng.normal(size=(50, 3)), y=np.arange(50) % 2)
    good, failed = (tmp_path / "x.npz").read_bytes(), 0
    directory = good.index(b"PK\x01\x02")
    for number in range(300):
        bad = bytearray(good[: None if number % 4 else rng.integers(len(good))])
        first = directory if number % 2 and len(bad) == len(good) else 0
        for at in rng.integers(first, len(bad), 3) if bad else ():
            bad[at] = rng.integers(256)
        (tmp_path / "x.npz").write_bytes(bytes(bad))
        failed += fails(tmp_path / "x.npz")
    assert failed > 100


def test_a_table_of_another_name_is_not_taken_for_a_pickle(tmp_path):
    (tmp_path / "x.npz").write_text("a,y\n1,0\n")
    refused(tmp_path / "x.npz", r"is not a whole .npz file \(it is not an archive\)$")
