"""The result of every reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Table:
    """Samples and labels as a file holds them.

    Args:
        X: the samples, anything that as_matrix takes.
        y: the labels as they stand in the file, (n_samples,), or None.
        X_test: the test samples, where the file has a split; else None.
        y_test: their labels, or None.
        features: the names of X's columns, where it has any.
        target: the name of the column that y came from.
        zero_based: whether the features of a .libsvm file are numbered from 0.
        columns: all column names of a .csv file, in its order.
    """

    X: Any
    y: Any
    X_test: Any = None
    y_test: Any = None
    features: list[str] | None = None
    target: str | None = None
    zero_based: bool | None = None
    columns: list[str] | None = None
