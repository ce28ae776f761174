"""Connections that others made are checked before any kernel sees them."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import Connectivity, Rows

# A layer of 3 inputs and 2 outputs: (row pointers, columns, part of the message).
BAD_ROWS = [
    ([0, 1, 2, 2], [0, 50_000_000], r"must be from 0 to 1"),
    ([0, 1, 2, 2], [0, -1], r"must be from 0 to 1"),
    ([0, 2, 2, 2], [1, 0], "ascending"),
    ([0, 2, 2, 2], [1, 1], "unique"),
    ([0, 2, 1, 2], [0, 1], "must not fall"),
    ([0, 10**6, 2, 2], [0, 1], "must not fall"),
    ([1, 1, 2, 2], [0, 1], "begin with 0"),
    ([0, 1, 2, 3], [0, 1], "end with the number of connections"),
    ([0, 1, 2], [0, 1], "4 row pointers"),
    ([], [], "4 row pointers"),
    ([0, 1.5, 2, 2], [0, 1], "array of integers"),
    ([0, 1, 2, 2], [[0, 1]], "one-dimensional"),
    ([0, 1, 2, 2], [0, 2**40], "out of range"),
    ([0, 1, 2, 2], "ab", "array of integers"),
]


@pytest.mark.parametrize(("ptr", "index", "message"), BAD_ROWS)
def test_from_inputs_bad_rows_are_refused(ptr, index, message):
    with pytest.raises(ts.InputError, match=message):
        Connectivity.from_inputs(3, 2, ptr, index, 1)


@pytest.mark.parametrize(("ptr", "index", "message"), BAD_ROWS)
def test_from_outputs_bad_rows_are_refused(ptr, index, message):
    with pytest.raises(ts.InputError, match=message):
        Connectivity.from_outputs(2, 3, ptr, index, 1)


@pytest.mark.parametrize("sizes", [(0, 2), (3, -1), (2**31, 2), (3.0, 2), ("3", 2), (True, 2)])
def test_from_inputs_bad_widths_are_refused(sizes):
    with pytest.raises(ts.InputError, match=r"n_in|n_out"):
        Connectivity.from_inputs(*sizes, np.array([0, 1, 2, 2]), np.array([0, 1], np.int32), 1)


def test_constructor_checks_its_rows():
    rows = Rows(np.array([0, 1, 2, 2]), np.array([0, 50_000_000], np.int32), np.empty(0, np.int64))
    with pytest.raises(ts.InputError, match=r"by_input\.index"):
        Connectivity(3, 2, rows, threads=1)


@pytest.mark.parametrize("kind", [list, lambda v: np.array(v, np.int16), lambda v: np.array(v, np.uint64)])
def test_from_inputs_takes_any_whole_numbers(kind):
    con = Connectivity.from_inputs(3, 2, kind([0, 1, 2, 2]), kind([1, 0]), 1)
    np.testing.assert_array_equal(con.pattern().toarray(), [[0, 1, 0], [1, 0, 0]])


def test_connectivity_given_wrong_long_rows_finds_its_own():
    long = np.array([10**9, -5])
    con = Connectivity(3, 3, Rows(np.arange(4), np.arange(3, dtype=np.int32), long), threads=1)
    assert con.by_input.long is not long
    assert len(con.by_input.long) == 0


@pytest.mark.parametrize("rows", [None, [[0, 1, 2, 3], [0, 1, 2]], np.arange(4)])
def test_connectivity_of_what_is_no_rows_is_refused(rows):
    with pytest.raises(ts.InputError, match=r"^by_input must be Rows, not "):
        Connectivity(3, 3, rows, threads=1)


@pytest.mark.parametrize("ptr", [[0, 1, 2, 3], None, np.arange(8)[::2]])
def test_connectivity_of_rows_that_are_no_arrays_is_refused(ptr):
    with pytest.raises(ts.InputError, match=r"^by_input\.ptr must be a contiguous array of int64, not "):
        Connectivity(3, 3, Rows(ptr, np.arange(3, dtype=np.int32), np.array([])), threads=1)


@pytest.mark.parametrize("threads", [0, -1, 2.5, 2**40, "all"])
def test_connectivity_with_wrong_threads_is_refused(threads):
    for make in (Connectivity.from_inputs, Connectivity.from_outputs):
        with pytest.raises(ts.InputError, match=r"^threads must be "):
            make(2, 2, [0, 1, 2], [0, 1], threads)
