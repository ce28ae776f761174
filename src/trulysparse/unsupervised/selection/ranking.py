"""From scores to a ranking, and how far several choices agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError


def ranked(scores: NDArray[np.float64], constant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Features from the best to the worst; of equal scores constant features come last, then the first comes first.

    Args:
        scores: (n_features,), higher is better.
        constant: (n_features,), whether each feature has one value only.

    Returns:
        (n_features,) numbers of features.

    Example:
        >>> ranked(np.array([0.0, 0.0, 2.0]), np.array([True, False, False])).tolist()
        [2, 1, 0]
    """
    return np.lexsort((np.arange(len(scores)), constant, -scores))


def selection_stability(selected: ArrayLike) -> float:
    """How far several choices of features agree, corrected for chance.

    Args:
        selected: (n_choices, n_features) of 0 and 1 or bool, at least two choices; they may differ in size.

    Returns:
        1 where all are the same, 0 in expectation where each is drawn at random; at least -1 / (n_choices - 1). Choices
        of all features, or of none, agree: 1.

    Raises:
        InputError: where it is of another form.

    Source:
        Nogueira, Sechidis and Brown, "On the stability of feature selection algorithms", JMLR 18 (2018), definition 4.

    Example:
        >>> selection_stability([[1, 1, 0, 0], [1, 1, 0, 0]])
        1.0
        >>> selection_stability([[1, 1, 0, 0], [0, 0, 1, 1]])
        -1.0
    """
    chosen = np.asarray(selected)
    if chosen.ndim != 2 or len(chosen) < 2 or not chosen.shape[1] or not np.isin(chosen, (0, 1)).all():
        raise InputError(f"selected must be 0 and 1 for each feature of two or more choices, not {np.shape(selected)}")
    n = len(chosen)
    share = chosen.mean(axis=0, dtype=np.float64)
    size = float(share.mean())
    by_chance = size * (1 - size)
    if by_chance == 0:
        return 1.0
    variance = n / (n - 1) * share * (1 - share)
    return float(1 - variance.mean() / by_chance)


def stability_of_scores(scores: NDArray[np.float64], constant: NDArray[np.bool_], n_keep: int) -> float | None:
    """How far choices of the best features by several scores agree; None of one alone.

    Args:
        scores: (n_choices, n_features).
        constant: see `ranked`.
        n_keep: how many features each chooses.

    Returns:
        See selection_stability.

    Example:
        >>> stability_of_scores(np.array([[1.0, 2.0, 0.0], [1.0, 3.0, 2.0]]), np.zeros(3, bool), 1)
        1.0
    """
    if len(scores) < 2:
        return None
    chosen = np.zeros(scores.shape, np.bool_)
    for each, own in zip(chosen, scores, strict=True):
        each[ranked(own, constant)[:n_keep]] = True
    return selection_stability(chosen)


def best_of_columns(scores: NDArray[np.float64], sources: NDArray[Any], n_columns: int) -> NDArray[np.float64]:
    """Scores of inputs as scores of a table's columns: each has that of its best input.

    Args:
        scores: (n_inputs,).
        sources: (n_inputs,) the column that each input is made of.
        n_columns: how many columns there are; one without inputs has the lowest score.

    Returns:
        (n_columns,).

    Example:
        >>> best_of_columns(np.array([3.0, 1.0, 2.0]), np.array([0, 2, 2]), 3).tolist()
        [3.0, 1.0, 2.0]
    """
    columns = np.full(n_columns, scores.min())
    np.maximum.at(columns, sources, scores)
    return columns
