"""Helpers that several test files share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse import _kernels
from trulysparse.connectivity import Connectivity

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell, and so in processes started here
    signal.signal(signal.SIGINT, signal.default_int_handler)
gc.disable()  # while modules are imported and tests are collected: all of that stays, and looking through it takes long


def pytest_collection_finish() -> None:
    """Has the garbage collector pass over what is there by now."""
    gc.freeze()
    gc.enable()


@pytest.fixture(params=_kernels.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test once for each instruction set of this processor."""
    before = _kernels.current_isa()
    _kernels.use_isa(request.param)
    yield request.param
    _kernels.use_isa(before)


@pytest.fixture(autouse=True, scope="session")
def no_power_cut() -> Iterator[None]:
    """Spares the waits for the disk: they matter where the power fails, which no test can bring about. What is
    written can be read, also by other processes and after a kill, without them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # still an error for a file that is not open
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def random_connectivity(rng: np.random.Generator, n_in: int, n_out: int, density: float) -> Connectivity:
    """A layer drawn by SciPy, with some neurons cut off on both sides."""
    matrix = sp.random_array((n_out, n_in), density=density, format="coo", rng=rng)
    rows, columns = matrix.coords
    kept = np.ones(matrix.nnz, bool)
    if n_out > 2:
        kept &= rows != n_out // 2
    if n_in > 2:
        kept &= columns != n_in // 2
    csr = sp.csr_array((matrix.data[kept], (rows[kept], columns[kept])), shape=matrix.shape)
    csr.sort_indices()
    con, _ = Connectivity.from_outputs(n_in, n_out, csr.indptr.astype(np.int64), csr.indices.astype(np.int32), 2)
    return con


def check_invariants(con: Connectivity) -> None:
    """Both indices sorted, unique, in range, and two views of one set."""
    assert _kernels.first_invalid(con.by_input.ptr, con.by_input.index, con.n_out) == -1
    assert _kernels.first_invalid(con.by_output.ptr, con.by_output.index, con.n_in) == -1
    assert con.by_input.ptr[-1] == con.by_output.ptr[-1] == con.n_connections
    rows_in = np.repeat(np.arange(con.n_in), np.diff(con.by_input.ptr))
    rows_out = np.repeat(np.arange(con.n_out), np.diff(con.by_output.ptr))
    np.testing.assert_array_equal(rows_in[con.position], con.by_output.index)
    np.testing.assert_array_equal(con.by_input.index[con.position], rows_out)


def narrowed(array: np.ndarray) -> np.ndarray:
    """float32 values as bfloat16 (in uint16), rounded to the nearest."""
    out = np.empty(array.shape, np.uint16)
    _kernels.round_to(np.ascontiguousarray(array, np.float32).ravel(), out.ravel(), 1)
    return out
