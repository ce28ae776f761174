"""The lock on a run folder."""

from __future__ import annotations

import fcntl
import subprocess
import sys

import pytest

from command import ON_DISK, RUN_FILES, SMALL, contents, refused, run, train


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


def test_two_trainings_started_together(tmp_path):
    """Real processes, in one new folder: one trains, the other is refused."""
    command = [
        sys.executable,
        "-m",
        "trulysparse",
        *map(str, train(tmp_path / "r", *ON_DISK, "--epochs", 8)),
    ]
    pair = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 2], errors
    assert sum("another training is at work in" in error for error in errors) == 1
    assert sorted(contents(tmp_path / "r")) == RUN_FILES


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
