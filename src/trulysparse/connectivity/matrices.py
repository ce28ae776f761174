"""Connectivity and weights from matrices that others made."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats, as_doubles
from trulysparse._core.sparse import scipy_readable, to_csr
from trulysparse.connectivity.indexed import Connectivity, check_size
from trulysparse.errors import InputError


def from_matrix(matrix: Any, *, name: str = "matrix", threads: int | None = None) -> tuple[Connectivity, Floats]:
    """Connectivity and weights of a matrix.

    Args:
        matrix: (n_out, n_in): SciPy sparse (a connection for each stored value; repeated entries are added up) or NumPy
            (for each value that is not 0).
        name: how an error is to call it.
        threads: at least 1; None: all of this machine's.

    Returns:
        (connectivity, weights in the order of by_input).

    Raises:
        InputError: where the matrix is empty, does not hold together, or holds what is not finite.

    Example:
        >>> from trulysparse.connectivity import from_matrix
        >>> con, weight = from_matrix([[0.0, 1.0], [2.0, 3.0]])
        >>> con.n_connections, weight.tolist()  # input 0: 2; input 1: 1, 3
        (3, [2.0, 1.0, 3.0])
    """
    if sp.issparse(matrix):
        csr = sp.csr_array(to_csr(matrix, name, "(n_out, n_in)"), copy=True)
        csr.prune()
    else:
        array = np.asarray(matrix)
        if array.ndim != 2:
            raise InputError(f"{name} must have shape (n_out, n_in), not {array.shape}")
        if array.dtype.kind not in "iufb":
            raise InputError(f"{name} must hold numbers, not {array.dtype}")
        csr = sp.csr_array(array if scipy_readable(array.dtype) else as_doubles(array))
    if csr.dtype.kind not in "iufb":
        raise InputError(f"{name} must hold numbers, not {csr.dtype}")
    csr.sum_duplicates()
    if not np.isfinite(csr.data).all():
        raise InputError(f"{name} holds NaN or infinity; weights must be finite")
    n_out, n_in = csr.shape
    if n_in == 0 or n_out == 0:
        raise InputError(f"{name} is empty: shape {csr.shape}")
    check_size(n_in, n_out, csr.nnz)
    indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int32)
    con, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, checks.thread_count(threads))
    return con, csr.data[order]


def largest(weight: NDArray[Any], density: float, *, name: str = "weight") -> sp.csr_array:
    """The values of a dense weight matrix that are largest in magnitude.

    Args:
        weight: (n_out, n_in) numbers.
        density: share to take, in (0, 1]; at least one value, of equal ones the first.
        name: how an error is to call the matrix.

    Returns:
        A csr_array (n_out, n_in).

    Raises:
        InputError: where the matrix is empty or holds what is not finite.

    Example:
        >>> from trulysparse.connectivity import largest
        >>> largest([[1.0, -4.0], [3.0, 2.0]], 0.5).toarray().tolist()
        [[0.0, -4.0], [3.0, 0.0]]
    """
    checks.real("density", density, low=0, high=1, low_open=True)
    array = np.asarray(weight)
    if array.ndim != 2 or array.dtype.kind not in "iuf" or array.size == 0:
        raise InputError(f"{name} must be a matrix of numbers (n_out, n_in), not {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinity; weights must be finite")
    count = max(1, round(density * array.size))
    flat = np.abs(array).ravel()
    cut = np.partition(flat, array.size - count)[array.size - count]
    above = np.flatnonzero(flat > cut)
    taken = np.sort(np.concatenate([above, np.flatnonzero(flat == cut)[: count - len(above)]]))
    rows, columns = np.divmod(taken, array.shape[1])
    return sp.csr_array((array[rows, columns], (rows, columns)), shape=array.shape)
