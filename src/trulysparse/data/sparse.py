"""SciPy's sparse formats as CSR. Index arrays that a user has set are checked here, as SciPy does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import as_doubles
from trulysparse.errors import InputError


def as_csr(x: Any, name: str = "X") -> sp.csr_array:
    """x as a CSR array that shares its memory where it can; InputError where its indices are inconsistent."""
    check_indices(x, name)
    if x.format != "csr":
        try:
            x = x.tocsr()
        except (ValueError, IndexError, OverflowError) as error:
            raise InputError(f"{name} is a sparse matrix with inconsistent indices ({error})") from None
        check_indices(x, name)
    native = x.data.dtype.isnative and x.data.dtype != np.float16  # what SciPy works with
    # A new array, as the given one may carry an outdated flag that its indices are sorted.
    return sp.csr_array((x.data if native else as_doubles(x.data), x.indices, x.indptr), shape=x.shape)


def check_indices(x: Any, name: str = "X") -> None:
    """InputError where the indices of a sparse matrix point outside of it or do not fit its values."""
    if x.ndim != 2:
        raise InputError(f"{name} must have shape (n_samples, n_features), not {x.shape}")
    if x.format in ("csr", "csc", "bsr"):
        _check_compressed(x, name)
    elif x.format == "coo":
        for axis, indices in (("row", x.row), ("column", x.col)):
            if len(indices) != len(x.data):
                raise InputError(f"{name} has {len(x.data)} stored values, but {len(indices)} {axis} numbers")
            _check_range(indices, x.shape[axis == "column"], f"{axis} number", name)


def _check_compressed(x: Any, name: str) -> None:
    block = x.blocksize if x.format == "bsr" else (1, 1)
    sizes = x.shape[0] // block[0], x.shape[1] // block[1]
    lines, across = sizes if x.format != "csc" else sizes[::-1]
    indptr, indices = np.asarray(x.indptr), np.asarray(x.indices)
    for part, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{name}.{part} must be a list of integers, not {array.dtype} of shape {array.shape}")
    if len(indptr) != lines + 1:
        raise InputError(f"{name}.indptr has {len(indptr)} entries, but shape {x.shape} needs {lines + 1}")
    stored = min(len(indices), len(x.data))
    if indptr[0] != 0 or indptr[-1] > stored or (indptr[1:] < indptr[:-1]).any():
        raise InputError(f"{name}.indptr must rise from 0 to at most the {stored} stored values")
    _check_range(indices[: indptr[-1]], across, "row number" if x.format == "csc" else "column number", name)


def _check_range(indices: NDArray[Any], size: int, what: str, name: str) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        wrong = int(indices[np.flatnonzero((indices < 0) | (indices >= size))[0]])
        raise InputError(f"{name} holds the {what} {wrong}; with its shape they must lie between 0 and {size - 1}")
