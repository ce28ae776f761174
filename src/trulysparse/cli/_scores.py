"""Figures of a network on held-out samples, as a table shows them and as JSON holds them."""

from __future__ import annotations

from collections.abc import Mapping

from trulysparse.report.numbers import number
from trulysparse.task.task import Task

_NAMES = ("accuracy", "r2", "mae", "loss")


def score_figures(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores in the order of the JSON line: accuracy, or r2 and mae, then the loss."""
    return {name: scores[name] for name in _NAMES if name in scores}


def score_rows(
    scores: Mapping[str, float],
    n_samples: int,
    task: Task,
    *,
    part: str = "test ",
    deviations: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """The scores as rows of a table.

    Args:
        scores: of training.evaluate.
        n_samples: that were scored.
        task: what is predicted.
        part: which samples, before the name of each score.
        deviations: of each score over folds, or None.
    """
    what = {
        "accuracy": "accuracy of each label" if task.kind == "multilabel" else "accuracy",
        "r2": "R2",
        "mae": "mean absolute error",
        "loss": "loss",
    }
    rows: dict[str, str] = {}
    for name, value in score_figures(scores).items():
        text = f"{value:.4f}" if name != "mae" else number(value)
        if deviations is not None:
            text += f" ± {deviations[name]:.4f}" if name != "mae" else f" ± {number(deviations[name])}"
        rows[f"{part}{what[name]}"] = text if rows else f"{text}  ({n_samples} samples)"
    return rows
