"""The lock on a run folder."""

from __future__ import annotations

import fcntl
import time

import pytest

from command import ON_DISK, SMALL, contents, refused, run, train
from real_process import Program
from trulysparse.io.checkpoint_folder import has_state


@pytest.mark.parametrize("command", ["train", "resume", "overwrite"])
def test_second_training_in_a_folder_is_refused(broken_off, command):
    before = contents(broken_off)
    with (broken_off / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as a training at work holds it
        arguments = ["resume", broken_off] if command == "resume" else train(broken_off, "--checkpoint-every", 4)
        arguments += ["--overwrite"] if command == "overwrite" else []
        assert "another training is at work in" in refused(*arguments)
        (broken_off / ".lock").unlink()
    assert contents(broken_off) == before
    run("resume", broken_off)


def test_lock_of_a_killed_training_is_free(broken_off):
    (broken_off / ".lock").touch()
    run("resume", broken_off)
    assert not (broken_off / ".lock").exists()


@pytest.mark.parametrize("options", [[], ON_DISK, ["--workers", 2]])
def test_second_real_process_is_refused_while_the_first_is_at_work(tmp_path, options):
    out = tmp_path / "r"
    first = Program(*train(out, *options, "--epochs", 10_000))
    try:
        while first.poll() is None and not has_state(out / "checkpoint"):
            time.sleep(0.01)
        for arguments in (train(out, *options), train(out, *options, "--overwrite"), ["resume", out]):
            assert "another training is at work in" in refused(*arguments)
        assert first.poll() is None
        first.interrupt()
        assert first.finish() == f"stopped: `trulysparse resume {out}` goes on from the last checkpoint\n"
        assert first.returncode == 130
    finally:
        first.kill()
    assert not (out / ".lock").exists()


def test_refused_training_makes_no_folders(tmp_path):
    out = tmp_path / "some" / "deep" / "folder"
    refused("train", "digits", "--out", out, *SMALL, "--storage", "compact", "--on-disk", "--epsilon", 0)
    refused("train", "digits", "--out", out, *SMALL, "--evolution", "rigl", "--storage", "compact")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "metrics.jsonl", "metrics.partial.jsonl", "report.html", ".lock"]
)
def test_folder_under_the_name_of_a_file_of_a_run_is_refused_and_kept(tmp_path, name):
    (tmp_path / "r" / name).mkdir(parents=True)
    (tmp_path / "r" / name / "mine").write_text("keep")
    assert f"{name}' is in the way" in refused("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert [p.name for p in (tmp_path / "r").iterdir()] == [name]
    assert (tmp_path / "r" / name / "mine").read_text() == "keep"


@pytest.mark.parametrize("name", [".new", "checkpoint"])
@pytest.mark.parametrize("dangling", [False, True])
def test_file_under_the_name_of_a_folder_of_a_run_is_refused_and_kept(tmp_path, name, dangling):
    (tmp_path / "r").mkdir()
    path = tmp_path / "r" / name
    if dangling:
        path.symlink_to(tmp_path / "nothing")
    else:
        path.write_text("keep")
    assert f"{name}' is in the way" in refused("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert [p.name for p in (tmp_path / "r").iterdir()] == [name]
