"""What every reader gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Table:
    """X (anything as_matrix takes) and raw labels y, or None; X_test and y_test where the source has a split.
    features: names of X's columns, where there are any. target: the column that y came from. zero_based: whether the
    features of a .libsvm file are numbered from 0. columns: all names in a .csv file, in its order."""

    X: Any
    y: Any
    X_test: Any = None
    y_test: Any = None
    features: list[str] | None = None
    target: str | None = None
    zero_based: bool | None = None
    columns: list[str] | None = None
