"""The result of every reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass
class Table:
    """Samples and labels as a file holds them.

    Args:
        X: the samples: anything that as_matrix takes, or a pandas DataFrame whose columns may be of any kind.
        y: the labels or values as they stand in the file, (n_samples,); (n_samples, k) or a DataFrame for several
            target columns; a CSR array (n_samples, k) of 0 and 1 where a sample has any number of labels; or None.
        X_test: the test samples, where the file has a split; else None.
        y_test: their labels, or None.
        features: the names of X's columns, where it has any.
        target: the name of the column that y came from, or several joined by commas.
        zero_based: whether the features of a .libsvm file are numbered from 0.
        columns: all column names of a .csv file, in its order.
        groups: which samples belong together, (n_samples,): of the column that --group names, or the query ids of a
            .libsvm file.
        order: what sorts the samples in time, (n_samples,), float64 or int64 (dates in nanoseconds).
        label_names: the names of y's columns, where a sample has any number of labels.
        notes: short sentences on what was detected or guessed.
        layout: what was detected in the file and is tried first with later ones.
    """

    X: Any
    y: Any
    X_test: Any = None
    y_test: Any = None
    features: list[str] | None = None
    target: str | None = None
    zero_based: bool | None = None
    columns: list[str] | None = None
    groups: NDArray[Any] | None = None
    order: NDArray[Any] | None = None
    label_names: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
