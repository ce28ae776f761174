"""Trainings that are broken off, and how they go on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from command import (
    COMPACT,
    MODEL,
    ON_DISK,
    RUN_FILES,
    SMALL,
    contents,
    last_json,
    refused,
    run,
    signalled,
    train,
    write_table,
)
from real_process import Program
from trulysparse.cli import app
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import states


@pytest.mark.parametrize("options", [[], ["--checkpoint-every", 4], ["--workers", 2], ON_DISK, COMPACT])
def test_train_refuses_a_folder_that_can_be_resumed(broken_off, options):
    before = contents(broken_off)
    error = refused(*train(broken_off, *options))
    assert f"`trulysparse resume {broken_off}`" in error
    assert "--overwrite" in error
    assert contents(broken_off) == before
    run(*train(broken_off, *options, "--overwrite"))
    assert sorted(contents(broken_off)) == RUN_FILES


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The model of a training with these options that nothing broke off, as bytes."""
    found: dict[str, bytes] = {}

    def of(options):
        if str(options) not in found:
            out = tmp_path_factory.mktemp("whole") / "r"
            run(*train(out, *options))
            found[str(options)] = (out / MODEL).read_bytes()
        return found[str(options)]

    return of


@pytest.mark.parametrize("old", [["--checkpoint-every", 4], ON_DISK])
@pytest.mark.parametrize(
    "options",
    [
        [*ON_DISK, "--epsilon", 0],
        [*ON_DISK, "--connectivity", "small_world"],
        [*ON_DISK, "--scale", "some"],
        [*ON_DISK, "--evolution", "rigl"],
        [*ON_DISK, "--hidden", 2_000_000_000],
        [*ON_DISK, "--batch-size", 0],
        ["--checkpoint-every", 4, "--batch-size", 0],
        ["--checkpoint-every", 4, "--momentum-precision", "bfloat16"],
        ["--workers", 2, "--backend", "mpi"],
    ],
)
def test_refused_training_leaves_a_checkpoint_even_with_overwrite(tmp_path, monkeypatch, undisturbed, old, options):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out, *old), at=15)
    before = contents(out)
    refused(*train(out, *options, "--overwrite"))
    assert contents(out) == before
    run("resume", out)
    assert (out / MODEL).read_bytes() == undisturbed(old)


def test_checkpoint_that_had_made_way_when_the_process_died_is_found_again(broken_off):
    (broken_off / "checkpoint").rename(broken_off / ".checkpoint.old")
    (broken_off / "checkpoint" / "layers").mkdir(parents=True)
    run("resume", broken_off)
    assert (broken_off / MODEL).exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_names_of_built_in_data_come_first(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    out = "digits" if kind == "folder" else "r"
    if kind == "file":
        Path("digits").write_text("a file of this name")
    signalled(monkeypatch, *train(Path(out), "--checkpoint-every", 4))
    run("resume", out)
    assert last_json(run("evaluate", out, "digits", "--json"))["samples"] == 359


def test_data_is_found_from_another_folder(tmp_path, monkeypatch, rng):
    data = tmp_path / "set"
    data.mkdir()
    y = rng.integers(0, 2, 100)
    np.save(data / "X.npy", rng.standard_normal((100, 4)) + y[:, None])
    np.save(data / "y.npy", y)
    monkeypatch.chdir(tmp_path)
    signalled(monkeypatch, "train", "set", "--out", "r", *SMALL, "--checkpoint-every", 1)
    monkeypatch.chdir(data)
    run("resume", tmp_path / "r")


@pytest.mark.parametrize("every", [1, 2, 5])
def test_diverged_training_goes_on_with_a_lower_rate(tmp_path, monkeypatch, every):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out, "--checkpoint-every", every), at=15)
    path = out / "checkpoint" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"learning_rate": 1e12}))
    error = run("resume", out, code=1)
    assert "training has diverged" in error
    assert f"`trulysparse resume {out} --learning-rate RATE` goes on from the last checkpoint" in error
    assert len(error.strip().splitlines()) == 1
    run("resume", out, code=1)
    assert "learning_rate must lie in" in refused("resume", out, "--learning-rate", 0)
    output = run("resume", out, "--learning-rate", 0.05, "--json")
    assert "since it was resumed" in output
    assert last_json(output)["accuracy"] > 0.4
    assert json.loads((out / "config.json").read_text())["learning_rate"] == 0.05


def test_checkpoint_takes_its_place_once_the_next_loss_is_known(tmp_path, monkeypatch):
    from trulysparse.cli._checkpoints import RunCheckpointer

    out, seen, on_step_end = tmp_path / "r", [], RunCheckpointer.on_step_end

    def watched(self, trainer, loss):
        on_step_end(self, trainer, np.inf if trainer.step_count == 5 else loss)
        found = [int(path.stem.removeprefix("state-")) for path in states(out / "checkpoint")]
        seen.append([step for step in found if step != 2])  # 2 was flushed, and stays for a second

    monkeypatch.setattr(RunCheckpointer, "on_step_end", watched)
    run(*train(out, "--checkpoint-every", 2, "--epochs", 1, "--keep-checkpoints", 1))
    # The loss of update 5 tells that the state after update 4 is no good.
    assert seen == [[], [], [], [4], [], [6], [6], [6, 8], [8], [8, 10], [10], [10]]


def test_learning_rate_is_recorded_with_the_checkpoint(broken_off, monkeypatch):
    signalled(monkeypatch, "resume", broken_off, "--learning-rate", 0.001)
    run("resume", broken_off)
    assert json.loads((broken_off / "config.json").read_text())["learning_rate"] == 0.001
    rates = [json.loads(line)["learning_rate"] for line in (broken_off / "metrics.jsonl").open()]
    assert rates == [0.001] * 3


@pytest.mark.parametrize(
    "precision, part, value",
    [([], "values", np.nan), ([], "slots", np.inf), (COMPACT, "values", np.inf), (COMPACT, "bias", np.nan),
     (ON_DISK, "values", np.nan), (ON_DISK, "slots", np.inf)],
)  # fmt: skip
def test_state_that_is_not_finite_is_not_kept(tmp_path, monkeypatch, precision, part, value):
    from trulysparse.training.callbacks import checkpointer

    out, keep, seen = tmp_path / "r", checkpointer.require_finite, 0

    def spoilt(trainer):
        nonlocal seen
        seen += 1
        if seen == 5:
            layer = trainer.net.layers[1]
            array = trainer.optimizer_state[1].weight[0] if part == "slots" else getattr(layer, part)
            array[-1] = np.uint16(np.float32(value).view(np.uint32) >> 16) if array.dtype == np.uint16 else value
        keep(trainer)

    options = [*precision] if "--on-disk" in precision else [*precision, "--checkpoint-every", 1]
    with monkeypatch.context() as patch:
        patch.setattr(checkpointer, "require_finite", spoilt)
        assert "the parameters are not finite after step 4" in run(*train(out, *options), code=1)
    run("resume", out)
    run(*train(tmp_path / "whole", *options))
    assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "null",
        "{",
        "[" * 100_000,
        b"\xff\xfe\x00",
        {"data": None},
        {"seed": "x"},
        {"seed": -1},
        {"epochs": 0},
        {"epochs": 2.5},
        {"hidden": 3},
        {"hidden": [30, "x"]},
        {"hidden": [30, 0]},
        {"epsilon": "5"},
        {"learning_rate": 10**400},
        {"on_disk": 1},
        {"target": []},
        {"optimizer": "other"},
    ],
    ids=lambda value: str(value)[:25],
)
def test_checkpoint_settings_that_are_not_what_they_must_be_are_refused(broken_off, text):
    path = broken_off / "checkpoint" / "config.json"
    if isinstance(text, dict):
        text = json.dumps(json.loads(path.read_text()) | text)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(broken_off)
    assert "config.json' cannot be read" in refused("resume", broken_off)
    assert contents(broken_off) == before


@pytest.mark.parametrize(
    "position",
    [
        None,
        [],
        {},
        {"epoch": "1"},
        {"epoch": 9},
        {"epoch": 0},
        {"done": -1},
        {"done": None},
        {"records": 3},
        {"records": [{}]},
        {"records": ["x"]},
    ],
    ids=str,
)
def test_checkpoint_with_a_damaged_position_is_refused(broken_off, monkeypatch, position):
    restore = checkpoints.restore

    def damaged(*arguments):
        trainer, extra = restore(*arguments)
        if isinstance(position, dict) and position:
            return trainer, {"position": extra["position"] | position}
        return trainer, {"position": position}

    monkeypatch.setattr(checkpoints, "restore", damaged)
    before = contents(broken_off)
    assert "is damaged" in refused("resume", broken_off)
    assert contents(broken_off) == before


def test_resume_without_a_folder_makes_none(tmp_path):
    assert "has no checkpoint to go on from" in refused("resume", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        [],
        pytest.param(COMPACT, marks=pytest.mark.slow),
        pytest.param([*COMPACT, "--on-disk"], marks=pytest.mark.slow),
        ["--evolution", "rigl", "--optimizer", "adam"],
    ],
)
def test_killed_training_resumed_has_the_same_bits(tmp_path, options):
    """A real kill, at some step; the model of the resumed run has the bytes of one that nobody disturbed."""
    arguments = [
        "train",
        "digits",
        "--hidden",
        "300,200",
        "--epochs",
        "6",
        "--batch-size",
        "16",
        "--dropout",
        "0.1",
        *options,
    ]
    run(*arguments, "--out", tmp_path / "whole")
    process = Program(*arguments, "--out", tmp_path / "r", "--checkpoint-every", "5")
    metrics = tmp_path / "r" / "metrics.partial.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") >= 2):
        time.sleep(0.005)
    process.kill()
    process.finish()
    assert process.returncode != 0
    assert not (tmp_path / "r" / "model.safetensors").exists()
    figures = last_json(run("resume", tmp_path / "r", "--json"))
    assert figures["epochs"] == 6
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("r", "whole")]
    assert same[0] == same[1]
    records = [[json.loads(line) for line in (tmp_path / name / "metrics.jsonl").open()] for name in ("r", "whole")]
    for mine, theirs in zip(*records, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == RUN_FILES
    assert "no checkpoint to go on from" in run("resume", tmp_path / "r", code=2)
    again = last_json(run("evaluate", tmp_path / "r", "digits", "--json"))
    assert again["accuracy"] == figures["accuracy"]


def test_data_that_has_changed_is_refused(tmp_path, table):
    X, y = table
    path = write_table(tmp_path, "npz", X, y)
    out = tmp_path / "r"
    process = Program("train", path, "--out", out, "--epochs", 1000, "--checkpoint-every", 1)
    while process.poll() is None and not states(out / "checkpoint"):
        time.sleep(0.01)
    process.kill()
    process.finish()
    write_table(tmp_path, "npz", X + 1, y)
    assert "has changed since the training" in run("resume", out, code=2)


def test_damaged_newest_checkpoint_is_passed_over_and_that_is_said(tmp_path, monkeypatch):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out, "--patience", 9, "--checkpoint-every", 3), at=20)
    *_, before, newest = states(out / "checkpoint")
    newest.write_bytes(newest.read_bytes()[:-5])
    result = CliRunner().invoke(app, ["resume", str(out)])
    assert result.exit_code == 0
    (said,) = result.stderr.splitlines()
    assert str(newest) in said
    assert f"going on from '{before}'" in said
    run(*train(tmp_path / "whole", "--patience", 9))
    assert (out / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


def test_damaged_checkpoint_is_refused(tmp_path):
    folder = tmp_path / "r" / "checkpoint"
    folder.mkdir(parents=True)
    assert "has no checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "config.json").write_text('{"data": "digits"}')
    assert "before its first checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "state.safetensors").write_bytes(b"none")
    assert "truncated or not a checkpoint" in run("resume", tmp_path / "r", code=2)
    (folder / "config.json").write_text("{")
    assert "cannot be read" in run("resume", tmp_path / "r", code=2)
