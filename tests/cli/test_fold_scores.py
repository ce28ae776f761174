"""Scores of folds: mean, deviation, and the file that keeps them."""

from __future__ import annotations

import statistics

import pytest

import trulysparse as ts
from trulysparse.cli._fold_scores import FoldScores

ACCURACIES = [0.9, 0.8, 0.95]


def scored() -> FoldScores:
    folds = FoldScores()
    for accuracy in ACCURACIES:
        folds.add({"accuracy": accuracy, "loss": 1 - accuracy, "of no interest": 3.0}, 10)
    return folds


def test_mean_and_deviation_are_those_of_a_sample():
    folds = scored()
    assert folds.mean["accuracy"] == pytest.approx(statistics.mean(ACCURACIES))
    assert folds.deviation["accuracy"] == pytest.approx(statistics.stdev(ACCURACIES))
    assert folds.n_samples == 30
    figures = folds.figures()
    assert [*figures] == ["accuracy", "loss", "accuracy_std", "loss_std", "folds"]
    assert [each["accuracy"] for each in figures["folds"]] == ACCURACIES


def test_scores_are_read_back(tmp_path):
    assert len(FoldScores.read(tmp_path / "none.json")) == 0
    scored().write(tmp_path / "folds.json")
    assert FoldScores.read(tmp_path / "folds.json") == scored()


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"scores": 3, "n_samples": 1}', '{"scores": [{"loss": "x"}], "n_samples": 1}']
)
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / "folds.json").write_text(text)
    with pytest.raises(ts.InputError, match=r"folds\.json"):
        FoldScores.read(tmp_path / "folds.json")
