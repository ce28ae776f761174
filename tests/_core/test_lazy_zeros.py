"""Large arrays of zeros in memory and in files."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.lazy_zeros import lazy_zeros
from trulysparse._core.memory import resident_bytes


@pytest.mark.parametrize("kind", ["f4", "u1", "i4"])
def test_zeros_that_can_be_written_to(kind, tmp_path):
    for folder in (None, tmp_path):
        array = lazy_zeros(1000, 7, kind, folder)
        assert array.shape == (1000, 7)
        assert array.dtype == np.dtype(kind)
        assert not array.any()
        array[999] = 3
        assert array.sum() == 21


def test_memory_is_taken_as_it_is_written_to():
    before = resident_bytes()
    array = lazy_zeros(1 << 20, 200, "f4")
    assert resident_bytes() - before < array.nbytes / 4


def test_file_takes_space_without_a_name(tmp_path):
    (tmp_path / "other").write_text("kept")
    space = os.statvfs(tmp_path)
    array = lazy_zeros(1 << 16, 200, "f4", tmp_path)
    assert (space.f_bavail - os.statvfs(tmp_path).f_bavail) * space.f_frsize > array.nbytes / 2
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    array[:] = 1
    del array
    assert (tmp_path / "other").read_text() == "kept"


def test_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(
        OSError, match=r"No space left on device: there is no room for 11.7 KiB more of figures"
    ) as info:
        lazy_zeros(1000, 3, "f4", tmp_path / "f", "figures")
    assert info.value.filename == str(tmp_path / "f")
    assert not list((tmp_path / "f").iterdir())


def test_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "f").write_text("kept")
    with pytest.raises(ts.InputError, match="is not a folder"):
        lazy_zeros(10, 3, "f4", tmp_path / "f")
