"""Disks without room, folders that cannot be written to, files that may not grow: real ones, with real processes."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command import MODEL, ON_DISK, contents, run, train
from real_process import Program
from trulysparse.io.checkpoint_folder import has_state, states


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights to do so")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def wait_for_checkpoint(process: Program, out: Path) -> None:
    while process.poll() is None and not has_state(out / "checkpoint"):
        time.sleep(0.005)


@pytest.mark.parametrize("options", [[], ["--workers", 2, "--parallel", "wassp"], ON_DISK])
def test_full_disk_ends_with_a_sentence_and_training_goes_on_once_there_is_room(tmp_path, options):
    options = [*options, "--hidden", "300,200", "--epochs", 40, "--evolution", "set"]
    with small_disk(tmp_path / "disk", "8m"):
        out, filler = tmp_path / "disk" / "r", tmp_path / "disk" / "filler"
        process = Program(*train(out, *options))
        wait_for_checkpoint(process, out)
        try:
            with filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass
        error = process.finish()
        assert process.returncode == 1, error
        assert len(error.strip().splitlines()) == 1
        assert "No space left on device" in error
        assert str(out) in error
        assert f"`trulysparse resume {out}` goes on from the last checkpoint" in error
        assert not [name for name in contents(out) if Path(name).name.startswith(".state")]
        again = Program("resume", out)
        error = again.finish()  # still no room
        assert (again.returncode, len(error.strip().splitlines())) == (1, 1), error
        filler.unlink()
        run("resume", out)
        run(*train(tmp_path / "whole", *options))
        assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


def test_folder_that_cannot_be_written_to_from_now_on(tmp_path):
    out = tmp_path / "r"
    process = Program(*train(out, "--epochs", 10_000))
    wait_for_checkpoint(process, out)
    folder = out / "checkpoint"

    def immutable(sign: str) -> bool:
        return not subprocess.run(["chattr", f"{sign}i", str(folder)], capture_output=True, check=False).returncode

    if not immutable("+"):
        process.kill()
        process.finish()
        pytest.skip("this file system, or this user, cannot make folders immutable")
    try:
        error = process.finish()
        assert process.returncode == 1, error
        assert len(error.strip().splitlines()) == 1
        # A new file cannot be written, or what was written cannot be renamed.
        assert re.search("cannot be (written|used): Operation not permitted", error), error
        assert f"`trulysparse resume {out}` goes on from the last checkpoint" in error
        kept = states(folder)
        assert kept
    finally:
        immutable("-")
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"epochs": 10000', '"epochs": 3'))
    run("resume", out)


@pytest.mark.parametrize("options", [[], ON_DISK])
def test_file_size_limit_is_an_error_and_not_a_death(tmp_path, options):
    out = tmp_path / "r"
    process = Program(*train(out, *options, "--hidden", "400,300", "--epsilon", 20), file_size=20 << 10)
    error = process.finish()
    assert process.returncode == 1, error
    assert "File too large" in error
    assert len(error.strip().splitlines()) == 1
    assert not states(out / "checkpoint")
