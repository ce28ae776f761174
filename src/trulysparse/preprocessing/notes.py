"""Sentences on columns that deserve a look: constant, equal, counted rows, free text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHOWN = 5
_FEW_ROWS = 20
_MANY_WORDS, _MANY_CHARACTERS = 5, 60


def listed(columns: Sequence[str]) -> str:
    """The names of columns for a sentence: "column 'a'", "columns 'a' and 'b'", the first few where there are many."""
    names = [f"'{column}'" for column in columns[:_SHOWN]]
    if len(columns) == 1:
        return f"column {names[0]}"
    if len(columns) > _SHOWN:
        return f"columns {', '.join(names)} and {len(columns) - _SHOWN} more"
    return f"columns {', '.join(names[:-1])} and {names[-1]}"


def differs_in_every_row(n_distinct: int, n_known: int) -> bool:
    """Whether a column of categories has another one in every row, from which nothing can be learned. In a few rows it
    may be chance."""
    return n_distinct == n_known >= _FEW_ROWS


def is_free_text(texts: NDArray[np.object_], n_known: int) -> bool:
    """Whether distinct texts look like sentences rather than categories."""
    if len(texts) < _FEW_ROWS or 2 * len(texts) < n_known:
        return False
    sample = texts[:: max(1, len(texts) // 100)]
    words = float(np.mean([len(text.split()) for text in sample]))
    return words > _MANY_WORDS or float(np.mean([len(text) for text in sample])) > _MANY_CHARACTERS


def counts_rows(values: NDArray[np.float64]) -> bool:
    """Whether a column counts the rows: 0, 1, 2, ... or 1, 2, 3, ..."""
    if len(values) < _FEW_ROWS or values[0] not in (0, 1):
        return False
    return bool((np.diff(values) == 1).all())
