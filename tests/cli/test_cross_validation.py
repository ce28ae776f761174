"""Folds that are trained one by one, and go on after a break."""

from __future__ import annotations

import json

import numpy as np
import pytest

from command import MODEL, RUN_FILES, SMALL, contents, last_json, refused, run, signalled
from trulysparse.task.options import TaskOptions
from trulysparse.task.source import DataSource

COMMAND = ["train", "breast_cancer", *SMALL, "--cv", 3, "--dropout", 0.1]


def test_each_fold_is_scored_and_a_network_of_all_samples_is_kept(tmp_path):
    figures = last_json(run(*COMMAND, "--out", tmp_path / "r", "--json"))
    scores = [fold["accuracy"] for fold in figures["folds"]]
    assert figures["accuracy"] == pytest.approx(np.mean(scores))
    assert figures["accuracy_std"] == pytest.approx(np.std(scores, ddof=1))
    assert min(scores) > 0.8
    assert sorted(contents(tmp_path / "r")) == RUN_FILES
    assert last_json(run("evaluate", tmp_path / "r", "breast_cancer", "--json"))["samples"] == 569
    assert "did not hold samples out" in refused("evaluate", tmp_path / "r", "breast_cancer", "--part", "test")


def test_a_fold_is_what_a_training_on_its_samples_gives(tmp_path):
    """The first fold again, from files of its samples."""
    figures = last_json(run(*COMMAND, "--out", tmp_path / "r", "--json"))
    source = DataSource(data="breast_cancer", options=TaskOptions(), fold=(0, 3))
    data = source.dataset(source.table())
    parts = {"X_train": data.train.X, "y_train": data.train.y, "X_test": data.test.X, "y_test": data.test.y}
    np.savez(tmp_path / "fold.npz", **parts)
    options = [*SMALL, "--dropout", 0.1, "--json"]
    alone = last_json(run("train", tmp_path / "fold.npz", "--out", tmp_path / "one", *options))
    assert alone["accuracy"] == figures["folds"][0]["accuracy"]


@pytest.mark.parametrize("at", [20, 70, 100, 150])
def test_a_broken_cross_validation_goes_on_with_the_same_bits(tmp_path, monkeypatch, at):
    """Within the first, the second or the last fold, and within the network of all samples."""
    run(*COMMAND, "--out", tmp_path / "whole")
    error = signalled(monkeypatch, *COMMAND, "--out", tmp_path / "r", at=at)
    assert f"`trulysparse resume {tmp_path / 'r'}` goes on" in error
    assert "--overwrite" in refused(*COMMAND, "--out", tmp_path / "r")
    run("resume", tmp_path / "r")
    assert (tmp_path / "r" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()
    folds = [json.loads((tmp_path / name / "results.json").read_text())["folds"] for name in ("r", "whole")]
    assert folds[0] == folds[1]


def test_a_process_that_died_between_folds_goes_on(tmp_path, monkeypatch):
    from trulysparse.cli import _cross_validation

    run(*COMMAND, "--out", tmp_path / "whole")
    write, written = _cross_validation.FoldScores.write, []

    def dying(self, path):
        write(self, path)
        written.append(path)
        if len(written) == 2:
            raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(_cross_validation.FoldScores, "write", dying)
        run(*COMMAND, "--out", tmp_path / "r", code=9)
    run("resume", tmp_path / "r")
    assert (tmp_path / "r" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cv", 1], "--cv must be at least 2"),
        (["--cv", 1000], "--cv must be at most 212"),
        (["--cv", 3, "--test-size", 0.3], "--test-size cannot be combined with --cv"),
        (["--cv", 3, "--test", "digits"], "--cv cannot be combined with --test"),
        (["--cv", 3, "--storage", "compact", "--on-disk"], "--cv cannot be combined with --on-disk"),
    ],
)
def test_cross_validations_that_cannot_be_are_refused(tmp_path, options, message):
    assert message in refused("train", "breast_cancer", "--out", tmp_path / "r", *options)
    assert list(tmp_path.iterdir()) == []
