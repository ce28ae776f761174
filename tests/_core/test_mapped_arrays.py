"""Arrays in memory-mapped files: what a folder keeps, hands out and removes."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.mapped_arrays import MANIFEST, ArrayFolder, committed


def committed_folder(path, values):
    """A folder in which one array has been committed, and its entry in the manifest."""
    folder = ArrayFolder(path)
    array = folder.store("layer0.weight", values)
    entry = folder.entry(array)
    folder.commit({"layers": [entry]}, [array])
    return folder, array, entry


def test_committed_array_is_found_again_by_a_new_folder(tmp_path, rng):
    values = rng.normal(size=1000).astype(np.float32)
    _, _, entry = committed_folder(tmp_path / "arrays", values)
    again = ArrayFolder(tmp_path / "arrays")
    assert again.state()["layers"] == [entry]
    np.testing.assert_array_equal(again.open(entry, ("float32",), 1000), values)


def test_open_entry_of_another_type_or_size_is_refused(tmp_path, rng):
    folder, _, entry = committed_folder(tmp_path / "arrays", rng.normal(size=10))
    with pytest.raises(ts.InputError, match="type must be"):
        folder.open(entry, ("float32",))
    with pytest.raises(ts.InputError, match="has 10 values, not 11"):
        folder.open(entry, ("float64",), 11)
    with pytest.raises(ts.InputError, match="missing or shorter"):
        folder.open(entry | {"size": 11}, ("float64",))
    with pytest.raises(ts.InputError, match="is not the name of an array's file"):
        folder.open(entry | {"file": "../thesis.txt"}, ("float64",))


def test_commit_removes_files_of_arrays_that_are_not_named(tmp_path, rng):
    path = tmp_path / "arrays"
    folder, _, _ = committed_folder(path, rng.normal(size=10))
    second = folder.store("layer0.weight", rng.normal(size=10))
    folder.commit({"layers": [folder.entry(second)]}, [second])
    assert {file.name for file in path.iterdir()} == {MANIFEST, folder.entry(second)["file"]}


def test_commit_removes_the_manifest_that_a_killed_process_left_half_written(tmp_path, rng):
    path = tmp_path / "arrays"
    folder, first, _ = committed_folder(path, rng.normal(size=10))
    left = path / f".{MANIFEST}.0123456789abcdef"
    left.write_text("{")
    second = folder.store("layer0.weight", first)
    folder.commit({"layers": [folder.entry(second)]}, [second])
    assert not left.exists()


def test_scratch_takes_no_name_in_the_folder(tmp_path, rng):
    folder = ArrayFolder(tmp_path / "arrays")
    values = rng.normal(size=10)
    np.testing.assert_array_equal(folder.scratch(values), values)
    assert [file.name for file in (tmp_path / "arrays").iterdir()] == [MANIFEST]


def test_committed_is_true_only_of_a_folder_with_layers(tmp_path, rng):
    assert not committed(tmp_path / "none")
    folder = ArrayFolder(tmp_path / "arrays")
    folder.store("layer0.weight", rng.normal(size=10))
    assert not committed(tmp_path / "arrays")
    (tmp_path / "arrays" / MANIFEST).write_text("{")
    assert committed(tmp_path / "arrays")  # damaged: whoever opens it says so
