"""Scores as a table shows them and as JSON holds them."""

from __future__ import annotations

import numpy as np

from trulysparse.cli._scores import score_figures, score_rows
from trulysparse.task.task import Task

CLASSES = Task("classification", np.array(["a", "b"]), (), 2)
VALUES = Task("regression", None, ("price",), 1)


def test_figures_are_in_the_order_of_the_json_line():
    assert list(score_figures({"loss": 1.0, "accuracy": 0.5})) == ["accuracy", "loss"]
    assert list(score_figures({"loss": 1.0, "mae": 2.0, "r2": 0.3, "other": 1.0})) == ["r2", "mae", "loss"]


def test_rows_name_the_part_and_the_samples():
    assert score_rows({"accuracy": 0.91234, "loss": 0.25}, 40, CLASSES) == {
        "test accuracy": "0.9123  (40 samples)",
        "test loss": "0.2500",
    }
    rows = score_rows({"r2": 0.5, "mae": 12345.678, "loss": 0.5}, 7, VALUES, part="")
    assert rows == {"R2": "0.5000  (7 samples)", "mean absolute error": "12,346", "loss": "0.5000"}


def test_deviations_stand_beside_means():
    rows = score_rows({"accuracy": 0.9, "loss": 0.2}, 50, CLASSES, part="", deviations={"accuracy": 0.01, "loss": 0.02})
    assert rows == {"accuracy": "0.9000 ± 0.0100  (50 samples)", "loss": "0.2000 ± 0.0200"}
