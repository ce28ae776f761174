"""SciPy's sparse formats as CSR arrays."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp

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
