"""The scores of a cross-validation, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trulysparse.report.numbers import number
from trulysparse.report.page import Figure, Table


def fold_scores(folds: Sequence[Mapping[str, float]]) -> list[Figure]:
    """A table of the scores of each fold, with their mean and deviation.

    Args:
        folds: scores of each, by name; all have the same names.

    Returns:
        The figure; none where there are no folds.

    Example:
        >>> from trulysparse.report.fold_scores import fold_scores
        >>> table = fold_scores([{"accuracy": 0.5}, {"accuracy": 0.75}])[0].table
        >>> table.rows[-2:]
        [['mean', '0.625'], ['standard deviation', '0.1768']]
    """
    if not folds:
        return []
    names = list(folds[0])
    values = np.array([[fold[name] for name in names] for fold in folds], np.float64)
    rows = [[str(i + 1), *map(number, scores)] for i, scores in enumerate(values.tolist())]
    rows.append(["mean", *map(number, values.mean(axis=0).tolist())])
    if len(folds) > 1:
        rows.append(["standard deviation", *map(number, values.std(axis=0, ddof=1).tolist())])
    titles = [{"r2": "R²", "mae": "mean absolute error"}.get(name, name) for name in names]
    return [Figure("Folds", "", "Standard deviation: of a sample.", Table(["fold", *titles], rows))]
