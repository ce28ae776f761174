"""The folds of a cross-validation, one training after the other; those that are over are kept for `resume`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from trulysparse.cli._fold_scores import FoldScores
from trulysparse.cli._run import CHECKPOINT

FOLDS = "folds.json"


def cross_validate(
    out: Path, n_folds: int, fit: Callable[[int], tuple[dict[str, float], int]], *, resume: bool
) -> FoldScores:
    """Trains a network per fold and scores it on the samples that the fold holds out.

    Args:
        out: the run folder, in whose checkpoint folder scores are kept.
        n_folds: at least 2.
        fit: trains and scores the fold of a number from 0: (scores, scored samples).
        resume: whether to go on after the folds that are over.

    Returns:
        The scores of all folds.
    """
    path = out / CHECKPOINT / FOLDS
    folds = FoldScores.read(path) if resume else FoldScores()
    for number in range(len(folds), n_folds):
        folds.add(*fit(number))
        path.parent.mkdir(exist_ok=True)
        folds.write(path)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in folds.scores[-1].items())
        typer.echo(f"fold {number + 1} of {n_folds}: {shown}", err=True)
    return folds


def has_folds(out: Path) -> bool:
    """Whether folds that are over are kept."""
    return (out / CHECKPOINT / FOLDS).is_file()
