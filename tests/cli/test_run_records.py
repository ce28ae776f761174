"""What a run folder says without its model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.cli._run_records import names_of, read_run


def test_finished_run(trained):
    (trained / "r" / "results.json").write_text(json.dumps({"accuracy": 0.5, "seconds": 1.25}))
    run = read_run(trained / "r", "a name")
    assert (run.name, run.finished, len(run.records)) == ("a name", True, 3)
    assert run.config["epochs"] == 3
    assert run.results == {"accuracy": 0.5, "seconds": 1.25}


def test_without_results_the_records_do(trained):
    (trained / "r" / "results.json").unlink(missing_ok=True)
    run = read_run(trained / "r", "r")
    assert run.results == {}
    assert run.figures()["epochs"] == 3


def test_broken_off_run(broken_off):
    run = read_run(broken_off, "r")
    assert not run.finished
    assert run.config["epochs"] == 3
    assert {record["epoch"] for record in run.records} <= {1, 2, 3}


def test_model_is_not_loaded(trained):
    (trained / "r" / "model.safetensors").write_bytes(b"")
    assert len(read_run(trained / "r", "r").records) == 3


def test_last_line_of_a_broken_off_training_may_be_cut(tmp_path):
    (tmp_path / "metrics.partial.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "lo')
    assert read_run(tmp_path, "r").records == [{"epoch": 1, "loss": 0.5}]


@pytest.mark.parametrize("text", ["[1]\n", "{\n", '{"loss": 1}\n', '{"epoch": true}\n', '{"epoch": "1"}\n', "\ud800\n"])
def test_damaged_metrics_are_refused(tmp_path, text):
    (tmp_path / "metrics.partial.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ts.InputError, match=r"RUN: '.*metrics.partial.jsonl' cannot be read"):
        read_run(tmp_path, "r")


@pytest.mark.parametrize("name", ["config.json", "results.json"])
def test_damaged_settings_are_refused(trained, name):
    (trained / "r" / name).write_text("[]")
    with pytest.raises(ts.InputError, match=f"{name}' cannot be read"):
        read_run(trained / "r", "r")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ts.InputError, match="is not a run folder"):
        read_run(tmp_path, "r")
    with pytest.raises(ts.InputError, match="does not exist"):
        read_run(tmp_path / "none", "r")


@pytest.mark.parametrize(
    "folders, names",
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["runs/a/r", "runs/b/r"], ["a/r", "b/r"]),
        (["runs/a"], ["a"]),
        (["runs/a", "runs/a"], ["a", "a"]),
        (["runs", "runs/a"], ["runs", "runs/a"]),
        (["runs/ab", "runs/abc"], ["ab", "abc"]),
        (["/"], ["/"]),
    ],
)
def test_names(folders, names):
    assert names_of([Path(folder) for folder in folders]) == [name.replace("/", os.sep) for name in names]
