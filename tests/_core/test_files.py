"""Files are written whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from trulysparse._core.files import write_whole


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_write_whole_gives_the_rights_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a", lambda path: path.write_text("x"))
        (tmp_path / "b").write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_write_whole_never_touches_the_umask(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask is the whole process'"))
    write_whole(tmp_path / "a", lambda path: path.write_text("x"))
    assert [f.name for f in tmp_path.iterdir()] == ["a"]


def test_write_whole_that_fails_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail(path):
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "a", fail)
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize("sync", [True, False])
def test_write_whole_is_on_the_disk_before_it_takes_the_name_and_the_name_thereafter(tmp_path, monkeypatch, sync):
    done, rename = [], Path.replace

    def seen(handle):
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append("folder" if path == tmp_path else path.read_text())

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(Path, "replace", lambda a, b: (done.append(f"name {b.name}"), rename(a, b))[1])
    write_whole(tmp_path / "a", lambda path: path.write_text("new"), sync=sync)
    assert done == (["new", "name a", "folder"] if sync else ["name a"])
    assert (tmp_path / "a").read_text() == "new"


def test_write_whole_by_many_threads_leaves_one_whole_file(tmp_path):
    texts = [str(i) * 10_000 for i in range(8)]
    threads = [
        threading.Thread(target=write_whole, args=(tmp_path / "a", lambda path, t=text: path.write_text(t)))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_text() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_write_that_fails_names_the_file(tmp_path):
    def full(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*model'"):
        write_whole(tmp_path / "model", full)
    assert list(tmp_path.iterdir()) == []
