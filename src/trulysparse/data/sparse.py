"""SciPy's sparse formats as CSR arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import as_doubles
from trulysparse._core.sparse import scipy_readable, to_csr

AXES = "(n_samples, n_features)"


def as_csr(x: Any, name: str = "X") -> sp.csr_array:
    """x as a CSR array that shares its memory where it can; InputError where its indices are inconsistent."""
    x = to_csr(x, name, AXES)
    # A new array, as the given one may carry an outdated flag that its indices are sorted.
    return sp.csr_array(
        (x.data if scipy_readable(x.data.dtype) else as_doubles(x.data), x.indices, x.indptr), shape=x.shape
    )


def rows_of(
    x: sp.csr_array, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.integer[Any]], NDArray[Any]]:
    """Pointers, indices and values of the rows `rows`, as x[rows] has them; for a batch in a third of its time.

    Args:
        x: (n_rows, n_columns).
        rows: numbers of rows, in any order, each from 0 to n_rows - 1.
    """
    start = x.indptr[rows].astype(np.int64, copy=False)
    counts = x.indptr[rows + 1] - start
    pointers = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=pointers[1:])
    at = np.arange(pointers[-1]) + np.repeat(start - pointers[:-1], counts)
    return pointers, x.indices[at], x.data[at]
