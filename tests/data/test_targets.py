"""Targets wherever they lie: loaded as dense ones, checked before or while they are loaded, in memory that is kept."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from sample_files import Counted
from trulysparse.data import Scaling, as_matrix, check_labels, check_values
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.targets import as_targets, check_lengths

TYPES = ["f2", ">f2", "f4", "f8", ">f8", "g", "i1", ">i2", "i4", "u1", ">u4", "u8", "?"]


def memory_map(folder, y):
    np.save(folder / "y.npy", y)
    return np.load(folder / "y.npy", mmap_mode="r")


FORMS = {
    "dense": lambda y, folder: y,
    "columns": lambda y, folder: np.asfortranarray(y),
    "list": lambda y, folder: y.tolist(),
    "csr": lambda y, folder: sp.csr_array(y),
    "csc": lambda y, folder: sp.csc_matrix(y),
    "coo": lambda y, folder: sp.coo_array(y),
    "map": lambda y, folder: memory_map(folder, y),
    "frame": lambda y, folder: pytest.importorskip("pandas").DataFrame(y),
    "stream": lambda y, folder: StreamMatrix(Counted(y, 4)),
    "matrix": lambda y, folder: as_matrix(y),
}
IN_FILES = ("map", "stream")


def sparse_values(rng, n=23, n_outputs=5):
    return np.where(rng.random((n, n_outputs)) < 0.4, rng.random((n, n_outputs)), 0.0)


def load(values, rows, dtype=np.float64, columns=16):
    out = np.full((values.matrix.n_features, columns), np.nan, dtype)
    with values.reader(rows) as reader:
        reader.load(rows, out, 2)
    assert not out[:, len(rows) :].any()
    return out[:, : len(rows)].T


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_in_every_form_load_as_they_are(rng, tmp_path, form, dtype):
    y, rows = sparse_values(rng), np.array([3, 22, 0, 3, 11])
    values = check_values(FORMS[form](y, tmp_path), 5, dtype)
    assert len(values) == 23
    np.testing.assert_array_equal(load(values, rows, dtype), y[rows].astype(dtype))


@pytest.mark.parametrize("name", TYPES)
def test_values_of_every_type_load_as_float64(rng, name):
    y = (sparse_values(rng) * 9).astype(name)
    csr = sp.csr_array(y.astype(np.float64))
    csr.data = csr.data.astype(name)
    for form in (y, csr):
        np.testing.assert_array_equal(load(check_values(form, 5), np.arange(9)), y[:9].astype(np.float64))


def test_values_are_not_copied(rng, tmp_path):
    y = sparse_values(rng)
    assert np.shares_memory(check_values(y, 5).matrix.x, y)
    csr = sp.csr_array(y)
    assert np.shares_memory(check_values(csr, 5).matrix.x.data, csr.data)
    assert isinstance(check_values(memory_map(tmp_path, y), 5).matrix.x, np.memmap)
    assert np.shares_memory(check_values(y[:, 0], 1).matrix.x, y)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(23, 4), (23, 6)])
def test_values_of_another_width_are_refused(rng, tmp_path, form, shape):
    y = FORMS[form](rng.random(shape), tmp_path)
    with pytest.raises(ts.InputError, match=r"y must have shape \(n_samples, 5\), .* not \(23, [46]\)"):
        check_values(y, 5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, 2.0], r"y must have shape \(n_samples, 5\)"),
        (np.zeros((2, 3, 5)), r"y must have shape \(n_samples, 5\)"),
        (np.zeros((0, 5)), "y is empty"),
        ([[1], [1, 2]], "y must be an array of numbers"),
        (np.full((2, 5), "a"), "y must hold numbers, not <U1"),
        (sp.csr_array(np.ones((2, 5), complex)), "y must hold numbers, not complex"),
    ],
)
def test_what_holds_no_values_is_refused(y, message):
    with pytest.raises(ts.InputError, match=message):
        check_values(y, 5)


def test_column_of_text_is_refused_by_name():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ts.InputError, match=r"y: column 'b' holds .*, not numbers"):
        check_values(pd.DataFrame({"a": [1.0], "b": ["x"]}), 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_that_the_network_cannot_hold_are_refused_with_their_position(rng, tmp_path, form, value):
    """Those in files as they are loaded, and only then."""
    y = sparse_values(rng)
    y[[7, 9], [3, 0]] = value
    given = FORMS[form](y, tmp_path)
    message = r"y\[7, '?3'?\] is .*; targets must be finite numbers within the range of float32"
    if form not in IN_FILES:
        with pytest.raises(ts.InputError, match=message):
            check_values(given, 5, np.float32)
        return
    values = check_values(given, 5, np.float32)
    load(values, np.arange(7), np.float32)
    for rows in ([9, 2, 7], [7, 9]):
        first = r"y\[9, 0\] is " if rows[0] == 9 else message
        with pytest.raises(ts.InputError, match=first):
            load(values, np.array(rows), np.float32)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [-0.25, 1.5])
def test_values_out_of_range_are_refused_with_their_position(rng, tmp_path, form, value):
    y = sparse_values(rng)
    y[7, 3] = value
    given = FORMS[form](y, tmp_path)
    message = rf"y\[7, '?3'?\] is {value}; targets of this loss must lie in \[0, 1\]"
    if form not in IN_FILES:
        with pytest.raises(ts.InputError, match=message):
            check_values(given, 5, np.float32, low=0, high=1)
    else:
        values = check_values(given, 5, np.float32, low=0, high=1)
        load(values, np.arange(7), np.float32)
        with pytest.raises(ts.InputError, match=message):
            load(values, np.array([2, 7]), np.float32)
    check_values(given, 5, np.float32)


def test_duplicates_of_a_sparse_matrix_count_as_their_sum():
    y = sp.csr_array(([0.75, 0.75, 0.5, 0.5], [1, 1, 0, 0], [0, 2, 4]), shape=(2, 2))
    values = check_values(y, 2, low=0, high=1)
    np.testing.assert_array_equal(load(values, np.array([1])), [[1.0, 0.0]])
    with pytest.raises(ts.InputError, match=r"y\[0, 1\] is 1.5; targets of this loss must lie in \[0, 1\]"):
        load(values, np.array([1, 0]))


def test_values_wider_than_the_network_are_refused_when_they_are_read_wide(tmp_path):
    """Scores need values in float64 that the loss takes in float32."""
    values = check_values(memory_map(tmp_path, np.array([[1.0], [1e39]])), 1, np.float32)
    out = np.empty((1, 2))
    values.reader().load(np.arange(2), out, 1)
    with pytest.raises(ts.InputError, match=r"y\[1, 0\] is 1e\+39; targets must be finite .* float32"):
        values.reader().load(np.arange(2), out, 1, np.dtype(np.float32))


def test_batches_share_one_memory(rng):
    values = check_values(rng.random((64, 5)), 5)
    reader, z, found = values.reader(), {n: np.empty((5, n)) for n in (4, 16, 32)}, []
    for n in (32, 32, 16, 4, 32, 16):
        rows = rng.permutation(64)[: n - 1]
        out = reader.batch(rows, z[n], z[n], None, 1)
        np.testing.assert_array_equal(out[:, :-1], values.matrix.x[rows].T)
        assert out.shape == (5, n)
        assert not out[:, -1].any()
        found.append(out)
    assert all(np.shares_memory(found[0], out) for out in found)
    assert found[0] is found[1]


def test_targets_that_are_the_input_are_the_loaded_input(rng):
    """Unless the input is scaled, or lies in another type."""
    X = rng.random((20, 5))
    matrix = as_matrix(X)
    values = check_values(X, 5).as_input(matrix)
    rows, x, z = np.array([4, 9, 1]), np.zeros((5, 4)), np.empty((5, 4))
    matrix.load(rows, x, None, 1)
    assert values.reader().batch(rows, x, z, None, 1) is x
    for scaling, wanted in ((Scaling("minmax", np.ones(5), np.ones(5)), z), (None, z.astype(np.float32))):
        found = values.reader().batch(rows, x, wanted, scaling, 1)
        assert not np.shares_memory(found, x)
        np.testing.assert_array_equal(found[:, :3], X[rows].T.astype(wanted.dtype))


def test_input_in_files_is_held_against_the_range(rng, tmp_path):
    X = rng.random((20, 5))
    X[9, 2] = 1.25
    matrix = as_matrix(memory_map(tmp_path, X))
    values = check_values(matrix.x, 5, low=0, high=1).as_input(matrix)
    x = np.zeros((5, 4))
    matrix.load(rows := np.array([4, 9, 1]), x, None, 1)
    with pytest.raises(ts.InputError, match=r"X\[9, 2\] is 1.25; targets of this loss must lie in"):
        values.reader().batch(rows, x, x, None, 1)


def test_stream_is_opened_when_it_is_needed_and_read_once(rng):
    blocks = Counted(rng.random((40, 5)), 10)
    order = np.arange(40)
    with check_values(StreamMatrix(blocks), 5).reader(order) as reader:
        assert blocks.reads == []
        out = np.empty((5, 8))
        for start in range(0, 40, 8):
            reader.load(order[start : start + 8], out, 1)
            np.testing.assert_array_equal(out, blocks.X[start : start + 8].T)
    assert blocks.reads == [0, 1, 2, 3]


def test_readers_of_one_stream_share_its_memory(rng):
    values = check_values(StreamMatrix(Counted(rng.random((40, 5)), 4), buffer_bytes=8000), 5)
    shared = values.shared_by(4)
    assert shared.matrix.n_buffered_blocks == values.matrix.n_buffered_blocks // 4
    assert (shared.matrix.name, shared.matrix.what) == ("y", "targets")


@pytest.mark.parametrize("dtype", ["i1", "u8", ">i4", "f4", "?"])
def test_labels_of_every_type_become_int32(dtype):
    y = np.array([1, 0, 1, 1, 0]).astype(dtype)
    for given in (y, y[::-2], y.tolist()):
        found = check_labels(given, 2)
        assert found.dtype == np.int32
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, np.asarray(given).astype(int))
    kept = np.arange(4, dtype=np.int32)
    assert check_labels(kept, 4) is kept


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[0], [1]], r"one label per sample \(1-dimensional\), not of shape \(2, 1\)"),
        (sp.csr_array(np.eye(2)), r"one label per sample .* \(2, 2\)"),
        ([0.5, 1], "integer class labels"),
        ([0, np.nan], "integer class labels"),
        (["a", "b"], "integer class labels"),
        ([0, 3], r"y\[1\] is 3; labels must lie between 0 and 2"),
        ([-1, 0], r"y\[0\] is -1"),
        (np.array([0, 2**63], np.uint64), r"y\[1\] is 9223372036854775808"),
    ],
)
def test_labels_that_name_no_class_are_refused(y, message):
    with pytest.raises(ts.InputError, match=message):
        check_labels(y, 3)


def test_a_list_of_integers_is_labels_and_all_else_is_values(rng):
    labels = as_targets(np.array([5, -1, 2**31 - 1]), 3)
    assert labels.dtype == np.int32
    assert labels.tolist() == [5, -1, 2**31 - 1]
    for y in (rng.random((4, 3)), rng.integers(0, 2, (4, 3)), sp.csr_array(np.eye(3))):
        assert as_targets(y, 3).matrix.n_features == 3
    with pytest.raises(ts.InputError, match=r"y\[1\] is 2147483648; labels must lie between"):
        as_targets(np.array([0, 2**31]), 3)
    with pytest.raises(ts.InputError, match=r"y must have shape \(n_samples, 3\)"):
        as_targets(rng.random(4), 3)


def test_lengths_that_differ_are_named():
    check_lengths(3, 3)
    with pytest.raises(ts.InputError, match="held-out X has 3 samples, but held-out y has 2"):
        check_lengths(3, 2, "held-out X", "held-out y")
