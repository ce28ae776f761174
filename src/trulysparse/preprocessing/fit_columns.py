"""Fits a preprocessing to the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import bytes_of
from trulysparse._core.texts import pack
from trulysparse.errors import InputError
from trulysparse.preprocessing import notes
from trulysparse.preprocessing.encode import missing
from trulysparse.preprocessing.fitted import MISSING, OTHER, VALUE, FittedColumns
from trulysparse.preprocessing.frames import column_names
from trulysparse.preprocessing.kinds import CATEGORY, LEFT_OUT, NUMBER, kind_of
from trulysparse.preprocessing.values import distinct, numbers, truths


class ColumnFitter:
    """Goes through the columns of a table, one at a time, and collects what becomes of each.

    Args:
        name: how messages call the table.
        impute: whether gaps are filled; they are errors otherwise.
        max_categories: how many categories of a column have an output of their own, the most frequent ones; None: all.
    """

    def __init__(self, name: str, impute: bool, max_categories: int | None) -> None:
        self._name, self._impute, self._most = name, impute, max_categories
        self._seen: dict[bytes, str] = {}  # digests of columns
        self._constant: list[str] = []
        self._empty: list[str] = []
        self._equal: dict[str, list[str]] = {}
        self._unlike: list[str] = []
        self._counting: list[str] = []
        self._free: list[str] = []
        self._cut: list[str] = []
        self.narrow = True
        self.stored = 0.0

    def fit(self, frame: Any) -> FittedColumns:
        """What becomes of each column of a pandas DataFrame; InputError where one cannot be used."""
        names = column_names(frame, self._name)
        n = len(names)
        kind, outputs = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        fill, categories = np.zeros(n), [[] for _ in names]  # type: ignore[var-annotated]
        for at, (column, (_, series)) in enumerate(zip(names, frame.items(), strict=True)):
            kind[at] = kind_of(series, f"{self._name}: column '{column}'")
            if kind[at] == CATEGORY:
                outputs[at], categories[at] = self._category(series, column)
                kept = bool(categories[at])
            else:
                outputs[at], fill[at] = self._number(series, column, int(kind[at]))
                kept = outputs[at] > 0
            if not kept:
                kind[at], outputs[at] = LEFT_OUT, 0
        columns = FittedColumns(names, kind, outputs, fill, categories)
        if not columns.n_outputs:
            raise InputError(f"{self._name} has no column to learn from: {'; '.join(self.notes())}")
        return columns

    def notes(self) -> list[str]:
        """What is worth knowing about the columns, a sentence each."""
        return list(self._sentences())

    def _number(self, series: Any, column: str, kind: int) -> tuple[int, float]:
        """(outputs, fill value)."""
        values = (numbers if kind == NUMBER else truths)(series, self._name, column)
        gaps = np.isnan(values)
        n_gaps = int(np.count_nonzero(gaps))
        self._check_gaps(gaps, n_gaps, column)
        known = values[~gaps] if n_gaps else values
        if not len(known):
            self._empty.append(column)
            return 0, 0.0
        varied = bool((known != known[0]).any())
        if not varied and not n_gaps:
            self._constant.append(column)
            return 0, 0.0
        if self._is_known(column, np.where(gaps, np.nan, values) + 0.0):  # 0.0, as there is a -0.0 too
            return 0, 0.0
        if kind == NUMBER and not n_gaps and notes.counts_rows(values):
            self._counting.append(column)
        with np.errstate(over="ignore"):
            self.narrow = self.narrow and bool((known.astype(np.float32) == known).all())
        self.stored += varied * np.count_nonzero(known) + n_gaps
        return VALUE * varied | MISSING * (n_gaps > 0), float(_median(known))

    def _category(self, series: Any, column: str) -> tuple[int, list[str]]:
        """(outputs, categories)."""
        codes, texts = distinct(series, self._name, column)
        gaps = codes < 0
        n_gaps = int(np.count_nonzero(gaps))
        self._check_gaps(gaps, n_gaps, column)
        if not len(texts):
            self._empty.append(column)
            return 0, []
        if len(texts) == 1 and not n_gaps:
            self._constant.append(column)
            return 0, []
        if self._is_known(column, codes, b"".join(bytes_of(array) for array in pack(texts.tolist()))):
            return 0, []
        if notes.differs_in_every_row(len(texts), len(codes) - n_gaps):
            self._unlike.append(column)
            return 0, []
        if notes.is_free_text(texts, len(codes) - n_gaps):
            self._free.append(column)
        kept = texts
        if self._most is not None and len(texts) > self._most:
            counts = np.bincount(codes[~gaps], minlength=len(texts))
            by_name = np.argsort(texts)  # of equally frequent ones, the first by name
            kept = texts[by_name[np.argsort(-counts[by_name], kind="stable")[: self._most]]]
            self._cut.append(column)
        self.stored += len(codes)
        return MISSING * (n_gaps > 0) | OTHER * (len(kept) < len(texts)), sorted(kept.tolist())

    def _check_gaps(self, gaps: NDArray[np.bool_], n_gaps: int, column: str) -> None:
        if n_gaps and not self._impute:
            raise missing(self._name, int(gaps.argmax()), column)

    def _is_known(self, column: str, values: NDArray[Any], texts: bytes = b"") -> bool:
        """Whether an earlier column holds the same in every row."""
        digest = blake2b(bytes_of(values), digest_size=32)
        digest.update(values.dtype.char.encode() + texts)
        first = self._seen.setdefault(digest.digest(), column)
        if first == column:
            return False
        self._equal.setdefault(first, []).append(column)
        return True

    def _sentences(self) -> Iterator[str]:
        for columns, what in (
            (self._empty, "no values"),
            (self._constant, "the same value in every row"),
            (self._unlike, "another text in every row, as names and ids have"),
        ):
            if columns:
                yield f"{notes.listed(columns)} {_has(columns)} {what}; left out"
        for first, others in self._equal.items():
            yield f"{notes.listed(others)} {'equals' if len(others) == 1 else 'equal'} column '{first}'; left out"
        if self._counting:
            yield (
                f"{notes.listed(self._counting)} {'counts' if len(self._counting) == 1 else 'count'} the rows; leave "
                "out what is no more than a row number"
            )
        if self._free:
            yield (
                f"{notes.listed(self._free)} {_has(self._free)} sentences, each of which is taken as one category; "
                "turn text into numbers (for example with scikit-learn's TfidfVectorizer)"
            )
        if self._cut:
            yield (
                f"{notes.listed(self._cut)} {_has(self._cut)} more than {self._most} categories; the rarer ones share "
                "the output 'other'"
            )


def _has(columns: list[str]) -> str:
    return "has" if len(columns) == 1 else "have"


def _median(values: NDArray[np.float64]) -> float:
    """The median, for any finite numbers: the middle of two lies between them however large they are."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1].tolist()
    middle_of_both: float = (low + high) / 2
    return middle_of_both if isfinite(middle_of_both) else float(low / 2 + high / 2)
