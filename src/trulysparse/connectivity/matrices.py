"""Connectivity and weights from matrices that others made."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _checks
from trulysparse._arrays import Floats
from trulysparse.connectivity._connectivity import Connectivity
from trulysparse.errors import InputError


def from_matrix(matrix: Any, *, name: str = "matrix", threads: int | None = None) -> tuple[Connectivity, Floats]:
    """(connectivity, weights in the order of by_input) of a SciPy sparse matrix or a NumPy array (n_out, n_in): a
    connection for each stored value (of an array: each value that is not 0). Repeated entries are added up."""
    if sp.issparse(matrix):
        csr = sp.csr_array(matrix, copy=True)
    else:
        array = np.asarray(matrix)
        if array.ndim != 2:
            raise InputError(f"{name} must have shape (n_out, n_in), not {array.shape}")
        csr = sp.csr_array(array)
    if csr.dtype.kind not in "iufb":
        raise InputError(f"{name} must hold numbers, not {csr.dtype}")
    csr.sum_duplicates()
    if not np.isfinite(csr.data).all():
        raise InputError(f"{name} holds NaN or infinity; weights must be finite")
    n_out, n_in = csr.shape
    if n_in == 0 or n_out == 0:
        raise InputError(f"{name} is empty: shape {csr.shape}")
    indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int32)
    con, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, _checks.thread_count(threads))
    return con, csr.data[order]


def largest(weight: NDArray[Any], density: float, *, name: str = "weight") -> sp.csr_array:
    """The `density` share of a dense weight matrix' values that is largest in magnitude, at least one; of equal ones
    the first."""
    _checks.real("density", density, low=0, high=1, low_open=True)
    array = np.asarray(weight)
    if array.ndim != 2 or array.dtype.kind not in "iuf" or array.size == 0:
        raise InputError(f"{name} must be a matrix of numbers (n_out, n_in), not {array.dtype} of shape {array.shape}")
    count = max(1, round(density * array.size))
    flat = np.abs(array).ravel()
    cut = np.partition(flat, array.size - count)[array.size - count]
    places = np.flatnonzero(flat > cut)
    places = np.sort(np.concatenate([places, np.flatnonzero(flat == cut)[: count - len(places)]]))
    rows, columns = np.divmod(places, array.shape[1])
    return sp.csr_array((array[rows, columns], (rows, columns)), shape=array.shape)
