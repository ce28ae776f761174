"""Rows of CSR arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.data.sparse import as_csr, rows_of


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_rows_are_those_that_scipy_takes(index_dtype):
    rng = np.random.default_rng(0)
    x = as_csr(sp.random_array((50, 30), density=0.05, rng=rng, format="csr"))
    x.indptr, x.indices = x.indptr.astype(index_dtype), x.indices.astype(index_dtype)
    x.indices[x.indptr[3] : x.indptr[4]] = x.indices[x.indptr[3] : x.indptr[4]][::-1].copy()  # need not be sorted
    assert (np.diff(x.indptr) == 0).any()  # rows without values
    for rows in (rng.permutation(50), np.array([4, 4, 49, 0, 3]), np.array([], np.int64), np.array([7])):
        pointers, indices, values = rows_of(x, rows)
        wanted = x[rows]
        assert pointers.dtype == np.int64
        assert pointers.tolist() == wanted.indptr.tolist()
        assert indices.tolist() == wanted.indices.tolist()
        assert values.tolist() == wanted.data.tolist()


def test_values_that_are_stored_twice_stay_so():
    x = sp.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    pointers, indices, values = rows_of(as_csr(x), np.array([1, 0]))
    assert (pointers.tolist(), indices.tolist(), values.tolist()) == ([0, 1, 3], [0, 1, 1], [3.0, 1.0, 2.0])
