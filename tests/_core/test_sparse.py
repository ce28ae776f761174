"""Sparse arrays whose indices someone has set: refused, or read as SciPy means them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.data import as_matrix, fit_scaling


def broken_csr() -> list:
    """CSR arrays whose parts someone has set."""

    def made(**parts):
        x = sp.random_array((20, 6), density=0.4, format="csr", rng=np.random.default_rng(0))
        for name, change in parts.items():
            array = getattr(x, name).copy()
            setattr(x, name, change(array))
        return x

    def put(at, value):
        def change(array):
            array[at] = value
            return array

        return change

    return [
        made(indices=put(7, 10**7)),
        made(indices=put(7, 6)),
        made(indices=put(0, -1)),
        made(indices=put(0, -(2**31))),
        made(indptr=put(3, 40)),
        made(indptr=put(20, 10**6)),
        made(indptr=put(0, 1)),
        made(indptr=put(5, -3)),
        made(indptr=lambda a: a[:-1]),
        made(indptr=lambda a: np.append(a, a[-1])),
        made(indices=lambda a: a[:-5]),
        made(data=lambda a: a[:-5]),
    ]


BROKEN = broken_csr()


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_csr_whose_parts_do_not_hold_together_is_refused(number):
    with pytest.raises(ts.InputError, match=r"^X(\.indptr)? "):
        as_matrix(BROKEN[number])


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_csc_whose_parts_do_not_hold_together_is_refused(number):
    x = BROKEN[number]
    csc = sp.csc_array((6, 20))
    csc.data, csc.indices, csc.indptr = x.data, x.indices, x.indptr
    with pytest.raises(ts.InputError, match=r"^X(\.indptr)? "):
        as_matrix(csc)


@pytest.mark.parametrize(("part", "value"), [("row", 20), ("row", -1), ("col", 6), ("col", -2)])
def test_coo_with_indices_out_of_range_is_refused(part, value):
    x = sp.random_array((20, 6), density=0.4, format="coo", rng=np.random.default_rng(0))
    getattr(x, part)[3] = value
    with pytest.raises(ts.InputError, match=f"X holds the (row|column) number {value}"):
        as_matrix(x)


def test_bsr_with_indices_out_of_range_is_refused():
    x = sp.bsr_array(np.ones((8, 6)), blocksize=(2, 3))
    x.indices[1] = 2
    with pytest.raises(ts.InputError, match="X holds the column number 2"):
        as_matrix(x)


def test_sparse_x_of_one_dimension_is_refused():
    with pytest.raises(ts.InputError, match="X must have shape"):
        as_matrix(sp.coo_array(np.ones(4)))


def load(x, rows, scaling=None, dtype=np.float32):
    out = np.full((x.shape[1], _kernels.padded_batch(len(rows))), np.nan, dtype)
    as_matrix(x).load(np.asarray(rows), out, scaling, 2)
    return out[:, : len(rows)].T


def test_unsorted_and_repeated_indices_count_once_each(rng):
    """Also where SciPy remembers them as sorted and unique."""
    x = sp.csr_array(rng.random((5, 6)))
    assert x.has_canonical_format
    x.indices[:6] = [5, 0, 3, 0, 1, 2]
    dense = np.zeros((5, 6))
    np.add.at(dense, (np.repeat(np.arange(5), 6), x.indices), x.data)
    np.testing.assert_allclose(load(x, range(5)), dense, rtol=1e-6)
    for kind in ("standard", "minmax"):
        found, wanted = fit_scaling(kind, as_matrix(x)), fit_scaling(kind, as_matrix(dense))
        np.testing.assert_allclose(found.offset, wanted.offset, rtol=1e-12)
        np.testing.assert_allclose(found.factor, wanted.factor, rtol=1e-12)


def set_parts(format, **parts):
    x = sp.random_array((8, 8), density=0.5, rng=np.random.default_rng(0)).asformat(format)
    for name, change in parts.items():
        setattr(x, name, change(getattr(x, name)))
    return x


def changed_row(rows, value):
    rows[1] = value
    return rows


UNSOUND = [
    set_parts("dia", offsets=lambda a: a[:2]),
    set_parts("dia", offsets=lambda a: a[:, None]),
    set_parts("dia", offsets=lambda a: a + 0.5),
    set_parts("dia", offsets=lambda a: np.where(a == a[0], -(2**31), a)),
    set_parts("dia", data=lambda a: a[:2]),
    set_parts("dia", data=lambda a: a[None]),
    set_parts("lil", rows=lambda a: changed_row(a, a[1][:1])),
    set_parts("lil", rows=lambda a: changed_row(a, None)),
    set_parts("lil", rows=lambda a: changed_row(a, [10**7, *a[1][1:]])),
    set_parts("lil", rows=lambda a: changed_row(a, [0.5, *a[1][1:]])),
    set_parts("lil", data=lambda a: a[None]),
    set_parts("lil", data=lambda a: changed_row(a, 1.0)),
    set_parts("dok", _dict=lambda a: {**a, 5: 1.0}),
    set_parts("dok", _dict=lambda a: {**a, (0, 10**7): 1.0}),
    set_parts("dok", _dict=lambda a: {**a, (-3, 0): 1.0}),
    set_parts("csr", data=lambda a: a[:, None]),
    set_parts("coo", data=lambda a: a.astype(object)),
]


@pytest.mark.parametrize("number", range(len(UNSOUND)))
def test_parts_of_other_formats_that_do_not_fit_are_refused_wherever_they_are_given(number):
    x, y = UNSOUND[number], np.arange(8) % 2
    for use in (
        as_matrix,
        lambda x: ts.SparseMLP.from_matrices([x], output="identity"),
        lambda x: ts.SparseMLPClassifier((4,), epochs=1).fit(x, y),
        ts.SparseMLPClassifier((4,), epochs=1).fit(np.eye(8), y).predict,
    ):
        with pytest.raises(ts.InputError):
            use(x)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_every_format_is_read_as_scipy_means_it(format):
    x = sp.random_array((8, 8), density=0.5, rng=np.random.default_rng(0)).asformat(format)
    assert np.array_equal(as_matrix(x).x.toarray(), x.toarray())
    net = ts.SparseMLP.from_matrices([x], output="identity", dtype="float64")
    assert np.array_equal(net.layers[0].weight.toarray(), x.toarray())
