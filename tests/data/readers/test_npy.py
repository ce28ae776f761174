""".npy files: samples and labels side by side."""

from __future__ import annotations

import numpy as np
import pytest

from sample_files import read_as, refused
from trulysparse.data.files import fingerprint, read


@pytest.fixture
def X(rng):
    return rng.normal(size=(6, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "labels"), [("X", "y"), ("x", "y"), ("X", "Y"), ("night_X", "night_y"), ("X-2024", "y-2024")]
)
def test_labels_are_in_the_file_beside(tmp_path, X, samples, labels):
    np.save(tmp_path / f"{samples}.npy", X)
    np.save(tmp_path / f"{labels}.npy", np.arange(6) % 2)
    for stream in (False, True):
        table = read_as(tmp_path / f"{samples}.npy", stream=stream)
        rows = table.X.chunk(0, 6) if stream else table.X
        np.testing.assert_array_equal(rows, X)
        assert table.y.tolist() == [0, 1] * 3


def test_a_test_set_is_found_by_its_name(tmp_path, X):
    for part, rows in (("train", X), ("test", X[:2])):
        np.save(tmp_path / f"X_{part}.npy", rows)
        np.save(tmp_path / f"y_{part}.npy", np.arange(len(rows)))
    table = read(str(tmp_path / "X_train.npy"))
    assert (len(table.X), len(table.y), len(table.X_test), len(table.y_test)) == (6, 6, 2, 2)
    (tmp_path / "y_test.npy").unlink()
    refused(tmp_path / "X_train.npy", r"a test set, '.*X_test\.npy', without labels; they must be in '.*y_test\.npy'")


def test_what_is_missing_is_named(tmp_path, X):
    np.save(tmp_path / "X.npy", X)
    refused(tmp_path / "X.npy", r"has no labels; they must be in '.*y\.npy'")
    assert read_as(tmp_path / "X.npy", need_target=False).y is None
    np.save(tmp_path / "samples.npy", X)
    refused(tmp_path / "samples.npy", r"must be called X\.npy or X_train\.npy")


def test_objects_and_damage_are_refused(tmp_path, X):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.array(["a", None], object))
    refused(tmp_path, "Python objects")
    (tmp_path / "X.npy").write_bytes((tmp_path / "X.npy").read_bytes()[:-5])
    refused(tmp_path / "X.npy", "not a whole .npy file")


def test_the_fingerprint_is_of_both_files(tmp_path, X):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.arange(6))
    before = fingerprint(str(tmp_path / "X.npy"))
    np.save(tmp_path / "y.npy", np.arange(6) + 1)
    assert fingerprint(str(tmp_path / "X.npy")) != before
