"""What a fitted preprocessing consists of: a kind, a fill value, outputs and categories for each column."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.texts import pack, unpack
from trulysparse.errors import InputError
from trulysparse.preprocessing.kinds import BOOLEAN, CATEGORY, LEFT_OUT, NUMBER

VALUE, MISSING, OTHER = 1, 2, 4  # outputs that a column may have beside those of its categories

ARRAYS = {
    "kind": "uint8",
    "outputs": "uint8",
    "fill": "float64",
    "names": "uint8",
    "name_offsets": "int64",
    "n_categories": "int64",
    "categories": "uint8",
    "category_offsets": "int64",
}
"""The arrays of `to_arrays`, and their types."""


class FittedColumns:
    """The columns of a table, and what becomes of each.

    Args:
        names: of the columns.
        kind: LEFT_OUT, NUMBER, BOOLEAN or CATEGORY; uint8.
        outputs: bits of VALUE (the number), MISSING (1 where there is a gap) and OTHER (1 where a value has no output
            of its own); uint8.
        fill: of NUMBER and BOOLEAN, what stands for a gap; float64.
        categories: of each column the texts that have an output, in their order.
    """

    def __init__(
        self,
        names: list[str],
        kind: NDArray[np.uint8],
        outputs: NDArray[np.uint8],
        fill: NDArray[np.float64],
        categories: list[list[str]],
    ) -> None:
        self.names, self.kind, self.outputs, self.fill, self.categories = names, kind, outputs, fill, categories
        counts = np.fromiter(map(len, categories), np.int64, len(categories))
        widths = counts + sum((outputs & bit) // bit for bit in (VALUE, MISSING, OTHER))
        self.starts = np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
        self._lookups: dict[int, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lookups": {}}

    @property
    def used(self) -> NDArray[np.int64]:
        """The columns that have an output."""
        return np.flatnonzero(self.kind != LEFT_OUT)

    @property
    def n_outputs(self) -> int:
        """Of all columns."""
        return int(self.starts[-1])

    @property
    def sources(self) -> NDArray[np.int64]:
        """The column of each output."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.starts))

    @property
    def scaled(self) -> NDArray[np.bool_]:
        """Whether each output is a number, which input scaling applies to."""
        scaled = np.zeros(self.n_outputs, bool)
        scaled[self.starts[:-1][(self.kind == NUMBER) & (self.outputs & VALUE > 0)]] = True
        return scaled

    def positions(self, column: int) -> tuple[int, int, int]:
        """The outputs of a column for its first category (or its value), for other values and for gaps; -1: none."""
        outputs, start = int(self.outputs[column]), int(self.starts[column])
        at = start + len(self.categories[column]) + bool(outputs & VALUE)
        other = at if outputs & OTHER else -1
        at += other >= 0
        return start if outputs & VALUE or self.categories[column] else -1, other, at if outputs & MISSING else -1

    def lookup(self, column: int) -> Any:
        """An index of the column's categories."""
        if column not in self._lookups:
            import pandas as pd

            self._lookups[column] = pd.Index(np.array(self.categories[column], dtype=object), dtype=object)
        return self._lookups[column]

    @cached_property
    def output_names(self) -> list[str]:
        """Of all outputs; what would be there twice gets a number."""
        names: list[str] = []
        for name, outputs, categories in zip(self.names, self.outputs.tolist(), self.categories, strict=True):
            names += [name] if outputs & VALUE else []
            names += [f"{name}={category}" for category in categories]
            names += [f"{name} (other)"] if outputs & OTHER else []
            names += [f"{name} (missing)"] if outputs & MISSING else []
        if len(set(names)) < len(names):
            taken: set[str] = set()
            for at, name in enumerate(names):
                number = 1
                while names[at] in taken:
                    number += 1
                    names[at] = f"{name} ({number})"
                taken.add(names[at])
        return names

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as arrays, see ARRAYS."""
        names, name_offsets = pack(self.names)
        categories, category_offsets = pack([text for column in self.categories for text in column])
        counts = np.fromiter(map(len, self.categories), np.int64, len(self.categories))
        arrays = (
            self.kind,
            self.outputs,
            self.fill,
            names,
            name_offsets,
            counts,
            categories,
            category_offsets,
        )
        return dict(zip(ARRAYS, arrays, strict=True))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> FittedColumns:
        """What `to_arrays` gave, checked; InputError where it does not hold together."""
        for name, dtype in ARRAYS.items():
            array = arrays.get(name)
            if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != dtype:
                raise InputError(f"preprocessing.{name} must be a {dtype} array of one dimension")
        names = unpack(arrays["names"], arrays["name_offsets"], "preprocessing.names")
        texts = unpack(arrays["categories"], arrays["category_offsets"], "preprocessing.categories")
        kind, outputs, fill, counts = (arrays[name] for name in ("kind", "outputs", "fill", "n_categories"))
        if len({len(names), len(kind), len(outputs), len(fill), len(counts)}) > 1 or len(set(names)) < len(names):
            raise InputError("preprocessing: each column must have one kind, fill value and name of its own")
        number, category = (kind == NUMBER) | (kind == BOOLEAN), kind == CATEGORY
        if (
            (kind > CATEGORY).any()
            or (counts < 0).any()
            or counts[~category].any()
            or counts.sum() != len(texts)
            or (outputs[kind == LEFT_OUT] > 0).any()
            or (outputs[number] & ~np.uint8(VALUE | MISSING)).any()
            or (outputs[category] & ~np.uint8(MISSING | OTHER)).any()
            or not np.isfinite(fill).all()
        ):
            raise InputError("preprocessing: kinds, outputs, fill values and categories do not fit each other")
        ends = np.concatenate([[0], np.cumsum(counts)]).tolist()
        categories = [texts[start:stop] for start, stop in pairwise(ends)]
        twice = [name for name, own in zip(names, categories, strict=True) if len(set(own)) < len(own)]
        if twice:
            raise InputError(f"preprocessing: column '{twice[0]}' has a category twice")
        columns = cls(names, kind, outputs, fill, categories)
        if not columns.n_outputs:
            raise InputError("preprocessing: no column has an output")
        return columns
