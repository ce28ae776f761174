"""Checks of SciPy's sparse matrices, whose parts a user may set to anything. SciPy converts them by native code that
trusts them, and reads outside of memory where they are wrong."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse.errors import InputError

MOST_LINES = 2**31 - 1


def scipy_readable(dtype: np.dtype[Any]) -> bool:
    """Whether SciPy works with values of this type."""
    return dtype.isnative and dtype != np.float16


def to_csr(x: Any, name: str, axes: str) -> Any:
    """A sparse matrix in the CSR format, itself where it has that, with all its parts checked.

    Args:
        x: of any of SciPy's formats.
        name: how an error is to call it.
        axes: what its two dimensions are, as in "(n_samples, n_features)".

    Raises:
        InputError: where it does not hold together or holds no numbers.
    """
    check_sparse(x, name, axes)
    if x.dtype.kind not in "biufc":
        raise InputError(f"{name} must hold numbers, not {x.dtype}")
    if x.format != "csr":
        try:
            x = sp.csr_array(x)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
            raise InputError(f"{name} is a sparse matrix whose parts do not fit each other ({error})") from None
        check_sparse(x, name, axes)
    return x


def check_sparse(x: Any, name: str, axes: str) -> None:
    """InputError where the parts of a sparse matrix, two-dimensional as `axes` says, do not fit each other or its
    shape."""
    if x.ndim != 2:
        raise InputError(f"{name} must have shape {axes}, not {x.shape}")
    if x.format in ("csr", "csc", "bsr"):
        _check_compressed(x, name)
    elif x.format == "coo":
        for axis, indices in (("row", x.row), ("column", x.col)):
            if len(indices) != len(x.data):
                raise InputError(f"{name} has {len(x.data)} stored values, but {len(indices)} {axis} numbers")
            _check_range(indices, x.shape[axis == "column"], f"{axis} number", name)
    elif x.format == "dia":
        _check_diagonals(x, name)
    elif x.format == "lil":
        _check_lists(x, name)


def _check_compressed(x: Any, name: str) -> None:
    block = x.blocksize if x.format == "bsr" else (1, 1)
    sizes = x.shape[0] // block[0], x.shape[1] // block[1]
    lines, across = sizes if x.format != "csc" else sizes[::-1]
    indptr, indices = np.asarray(x.indptr), np.asarray(x.indices)
    for part, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{name}.{part} must be a list of integers, not {array.dtype} of shape {array.shape}")
    if np.ndim(x.data) != (3 if x.format == "bsr" else 1):
        raise InputError(f"{name}.data has the shape {np.shape(x.data)}, which is not that of {x.format.upper()}")
    if len(indptr) != lines + 1:
        raise InputError(f"{name}.indptr has {len(indptr)} entries, but shape {x.shape} needs {lines + 1}")
    stored = min(len(indices), len(x.data))
    if indptr[0] != 0 or indptr[-1] > stored or (indptr[1:] < indptr[:-1]).any():
        raise InputError(f"{name}.indptr must rise from 0 to at most the {stored} stored values")
    _check_range(indices[: indptr[-1]], across, "row number" if x.format == "csc" else "column number", name)


def _check_diagonals(x: Any, name: str) -> None:
    offsets = np.asarray(x.offsets)
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise InputError(f"{name}.offsets must be a list of integers, not {offsets.dtype} of shape {offsets.shape}")
    if np.ndim(x.data) != 2 or len(x.data) != len(offsets):
        raise InputError(f"{name}.data must hold a row for each of {len(offsets)} diagonals, not {np.shape(x.data)}")
    if len(offsets) and (offsets.min() <= -MOST_LINES or offsets.max() >= MOST_LINES):
        raise InputError(f"{name}.offsets must lie between -{MOST_LINES} and {MOST_LINES}")


def _check_lists(x: Any, name: str) -> None:
    for part in (x.rows, x.data):
        if np.shape(part) != (x.shape[0],) or not all(isinstance(line, list) for line in part):
            raise InputError(f"{name} must hold a list of column numbers and one of values for each row")
    if any(len(row) != len(data) for row, data in zip(x.rows, x.data, strict=True)):
        raise InputError(f"{name} has a row with not as many values as column numbers")
    if not all(isinstance(column, Integral) for row in x.rows for column in row):
        raise InputError(f"{name} must have integers for column numbers")


def _check_range(indices: NDArray[Any], size: int, what: str, name: str) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        wrong = int(indices[np.flatnonzero((indices < 0) | (indices >= size))[0]])
        raise InputError(f"{name} holds the {what} {wrong}; with its shape they must lie between 0 and {size - 1}")
