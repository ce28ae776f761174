"""Weights from SciPy matrices of every format, sound or not: never a read beyond their arrays."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.connectivity import from_matrix

FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")


def matrix_of(fmt):
    return sp.random_array((16, 4), density=0.3, rng=np.random.default_rng(0)).asformat(fmt)


@pytest.mark.parametrize("fmt", FORMATS)
def test_from_matrices_every_format_gives_its_values(fmt):
    matrix = matrix_of(fmt)
    net = ts.SparseMLP.from_matrices([matrix])
    np.testing.assert_allclose(net.layers[0].weight.toarray(), matrix.toarray(), rtol=1e-6)


# What is done to a matrix, for the formats it makes sense for. Old code dies of some, so they run in a process of
# their own.
DAMAGE = {
    "index": {
        "csr csc bsr": "m.indices = m.indices.copy(); m.indices[2] = V",
        "coo": "m.coords[1][2] = V",
        "lil": "m.rows[3] = [V]; m.data[3] = [1.0]",
        "dok": "m._dict[(1, V)] = 1.0",
    },
    "pointers": {
        "csr csc bsr": "m.indptr = m.indptr.copy(); m.indptr[1] = 10**6",
        "coo": "m.coords = (m.coords[0], m.coords[1][:-1])",
        "lil": "m.rows[3] = [0, 1, 2]; m.data[3] = [1.0]",
    },
    "falling": {"csr csc": "m.indptr = m.indptr.copy(); m.indptr[[1, 2]] = m.indptr[[3, 1]]"},
    "length": {"csr csc coo": "m.data = m.data[:-1]"},
    "nan": {"csr csc coo bsr dia": "m.data = m.data * np.nan"},
    "text": {"csr": "m.data = np.array(['a'] * len(m.data))"},
    "beyond float32": {"csr": "m.data = m.data * 1e300"},
}
CASES = [(what, fmt, code) for what, kinds in DAMAGE.items() for fmts, code in kinds.items() for fmt in fmts.split()]


@pytest.mark.parametrize(("what", "fmt", "code"), CASES, ids=[f"{what}-{fmt}" for what, fmt, _ in CASES])
def test_from_matrices_damaged_matrix_is_refused_by_name(what, fmt, code):
    for value in (-2, 17, 2**31 - 1) if "V" in code else (0,):
        matrix = matrix_of(fmt)
        exec(code, {"m": matrix, "np": np, "V": value})
        with pytest.raises(ts.InputError, match=r"matrices\[1\]"):
            ts.SparseMLP.from_matrices([np.ones((4, 4)), matrix])


def test_from_matrices_wild_index_does_not_end_the_process():
    code = (
        "import numpy as np, scipy.sparse as sp, trulysparse as ts\n"
        "bad = sp.csr_array((16, 4)); bad.indptr = np.r_[np.zeros(16, int), 1]\n"
        "bad.indices = np.array([2**31 - 1]); bad.data = np.ones(1)\n"
        "try: ts.SparseMLP.from_matrices([bad])\n"
        "except ts.InputError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr


@pytest.mark.parametrize(
    ("biases", "message"),
    [
        ([np.ones(3)], "biases must have one entry for each of 2 matrices, not 1"),
        ([np.ones(3), np.array([1.0, np.nan])], r"biases\[1\] holds NaN"),
        ([np.ones(3), ["a", "b"]], r"biases\[1\] must be an array of numbers"),
    ],
)
def test_from_matrices_bad_biases_are_refused(biases, message):
    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP.from_matrices([np.ones((3, 2)), np.ones((2, 3))], biases)


def test_from_matrices_nan_with_density_is_refused():
    with pytest.raises(ts.InputError, match=r"matrices\[0\] holds NaN"):
        ts.SparseMLP.from_matrices([np.array([[np.nan, 1.0], [2.0, 3.0]])], density=0.5)


@pytest.mark.parametrize("kind", [">f4", ">f8", "f2", ">i4", "i1", "?"])
def test_matrix_of_any_numeric_type_keeps_its_values(kind):
    matrix = np.array([[1, 0, 1], [0, 1, 0]], kind)
    con, weight = from_matrix(matrix, threads=1)
    assert (con.pattern().toarray() == matrix).all()
    assert weight.tolist() == [1, 1, 1]
