"""Tables as numbers: dense, or CSR made from codes, never by way of a dense array."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.preprocessing.fitted import VALUE, FittedColumns
from trulysparse.preprocessing.kinds import CATEGORY, NUMBER
from trulysparse.preprocessing.values import distinct, numbers, truths

_BLOCK_BYTES = 1 << 21  # of a dense output, written while it is in cache
_GROUP = 64  # columns at a time


class Part(NamedTuple):
    """Values of at most one output in each row.

    Attributes:
        output: number of the output, the same in all rows, or one for each row, -1 for none; int32.
        values: (n_rows,); None: 1.
        present: rows that have a value; None: those whose value is not 0, or that have an output.
    """

    output: int | NDArray[np.int32]
    values: NDArray[np.float64] | None
    present: NDArray[np.bool_] | None

    def rows(self) -> NDArray[np.bool_]:
        """Whether each row has a value."""
        if self.present is not None:
            return self.present
        return self.output >= 0 if self.values is None else self.values != 0  # type: ignore[return-value]


def parts(columns: FittedColumns, frame: Any, name: str, dtype: np.dtype[Any], refuse_gaps: bool) -> Iterator[Part]:
    """The values of a table, by rising output in each row.

    Args:
        columns: fitted.
        frame: a pandas DataFrame of those columns, in their order.
        name: how messages call it.
        dtype: of the output, whose range numbers must keep to.
        refuse_gaps: whether a gap is an error.

    Raises:
        InputError: at the first value that a column cannot take.
    """
    for column, (_, series) in zip(columns.used.tolist(), frame.items(), strict=True):
        called, kind = columns.names[column], columns.kind[column]
        if kind == CATEGORY:
            codes, texts = distinct(series, name, called)
            gaps = codes < 0
        else:
            values = numbers(series, name, called) if kind == NUMBER else truths(series, name, called)
            gaps = np.isnan(values)
            if dtype == np.float32:
                _check_range(values, name, called)
        gap = bool(gaps.any())
        if gap and refuse_gaps:
            raise missing(name, int(gaps.argmax()), called)
        first, other, absent = columns.positions(column)
        if kind == CATEGORY:
            place = columns.lookup(column).get_indexer(texts)
            place = np.where(place >= 0, first + place, other).astype(np.int32)
            place = np.append(place, np.int32(absent if absent >= 0 else other))
            yield Part(place[codes], None, None)  # -1, of gaps, is the last
            continue
        if columns.outputs[column] & VALUE:
            yield Part(first, np.where(gaps, columns.fill[column], values) if gap else values, None)
        if absent >= 0:
            yield Part(absent, None, gaps)


def _check_range(values: NDArray[np.float64], name: str, column: str) -> None:
    beyond = np.abs(values) > np.finfo(np.float32).max
    if beyond.any():
        row = int(beyond.argmax())
        raise InputError(f"{name}[{row}, '{column}'] is {values[row]}; features must lie within the range of float32")


def missing(name: str, row: int, column: str) -> InputError:
    """The error for a gap that is not wanted."""
    return InputError(
        f"{name}[{row}, '{column}'] is missing, and missing='refuse' allows no gaps; fill them, or give "
        "missing='impute'"
    )


def dense(columns: FittedColumns, each: Iterator[Part], n_rows: int, dtype: np.dtype[Any]) -> Floats:
    """The values as an array (n_rows, n_outputs)."""
    out = np.zeros((n_rows, columns.n_outputs), dtype)
    step = max(1, _BLOCK_BYTES // max(1, out.strides[0]))
    while group := list(islice(each, _GROUP)):
        for start in range(0, n_rows, step):
            block, rows = out[start : start + step], slice(start, start + step)
            for output, values, present in group:
                if isinstance(output, int):
                    own = present if values is None else values
                    assert own is not None
                    block[:, output] = own[rows]
                else:
                    codes = output[rows]
                    known = np.flatnonzero(codes >= 0)
                    block[known, codes[known]] = 1
    return out


def csr(columns: FittedColumns, each: Iterator[Part], n_rows: int, dtype: np.dtype[Any]) -> sp.csr_array:
    """The values as a CSR array (n_rows, n_outputs), without stored zeros."""
    every = list(each)
    counts = np.zeros(n_rows + 1, np.int64)
    for part in every:
        counts[1:] += part.rows()
    indptr = np.cumsum(counts)
    index = np.int32 if max(indptr[-1], columns.n_outputs) < 2**31 else np.int64
    indices, data = np.empty(indptr[-1], index), np.ones(indptr[-1], dtype)
    at = indptr[:-1].copy()
    for part in every:
        rows = np.flatnonzero(part.rows())
        place = at[rows]
        indices[place] = part.output if isinstance(part.output, int) else part.output[rows]
        if part.values is not None:
            data[place] = part.values[rows]
        at[rows] += 1
    return sp.csr_array((data, indices, indptr.astype(index)), shape=(n_rows, columns.n_outputs))
