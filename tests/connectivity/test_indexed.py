"""Connections that others made are checked before any kernel sees them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.connectivity import Connectivity, Rows, TiledConnectivity, uniform
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.settings import NetworkSettings

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


@pytest.mark.parametrize(
    "change",
    [
        {"shift": 2},
        {"shift": 99},
        {"shift": "6"},
        {"n_in": 10**5},
        {"n_out": 0},
        {"ptr": np.zeros(3, np.int64)},
        {"ptr": None},
        {"packed": np.array([0xFFFFFFFF], np.uint32)},
        {"packed": np.zeros(1, np.int32)},
    ],
)
def test_tiles_that_do_not_hold_together_are_refused(change):
    con = TiledConnectivity.draw(50, 40, 1, seed=0, threads=1)
    parts = {name: getattr(con, name) for name in ("n_in", "n_out", "shift", "ptr", "packed")}
    assert TiledConnectivity(**parts).n_connections == 1
    with pytest.raises(ts.InputError):
        TiledConnectivity(**parts | change)


def test_hasattr_of_tiles_is_false_for_what_they_lack():
    con = TiledConnectivity.draw(50, 40, 9, seed=0, threads=1)
    assert not hasattr(con, "by_input")
    with pytest.raises(ts.InputError, match=r"net\.indexed\(\)"):
        _ = con.by_input


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda *_: None, "must return a Connectivity, not NoneType"),
        (lambda a, b, n: sp.csr_array((b, a)), "must return a Connectivity, not csr_array"),
        (lambda a, b, n: uniform(b, a, count=n), "must return a layer 5 x 4, not 4 x 5"),
        (lambda a, b, n: uniform(a, b, 0), "at least one, not none"),
        (lambda a, b, n: TiledConnectivity.draw(a, b, n + 1, seed=0, threads=1), "not TiledConnectivity"),
    ],
)
def test_a_users_pattern_that_returns_something_else_is_refused(result, message):
    def pattern(n_in, n_out, count, *, seed, threads):
        return result(n_in, n_out, count)

    with pytest.raises(ts.InputError, match=message):
        ts.SparseMLP((5, 4), epsilon=1, connectivity=pattern)


def from_layers(cons, values, biases, storage_config=None):
    return ts.SparseMLP.from_layers(
        cons,
        values,
        biases,
        NetworkSettings(epsilon=1, storage_config=storage_config),
    )


def test_from_layers_that_do_not_fit_are_refused():
    cons = [uniform(5, 4, 8), uniform(4, 3, 6)]
    values, biases = (
        [np.ones(8, np.float32), np.ones(6, np.float32)],
        [np.zeros(4, np.float32), np.zeros(3, np.float32)],
    )
    assert from_layers(cons, values, biases).layer_sizes == (5, 4, 3)
    for wrong, message in [
        (([], [], []), "at least one layer"),
        ((cons, values[:1], biases), "values must have one entry"),
        ((cons[::-1], values[::-1], biases[::-1]), r"layers\[1\] connects 5 x 4 neurons, not 3 x 4"),
        ((cons, values[::-1], biases), r"layers\[0\].values must be float32 of shape \(8,\)"),
        ((cons, values, biases[::-1]), r"layers\[0\].bias must be float32 of shape \(4,\)"),
        ((cons, [values[0], values[1].astype(np.float64)], biases), "values must be float32"),
        ((cons, [values[0], None], biases), "not NoneType"),
        (([cons[0], "con"], values, biases), r"connectivities\[1\] must be a Connectivity, not str"),
        (
            (cons, values, biases, StorageConfig.create("compact", None, None, None, "float32")),
            "must be a TiledConnectivity",
        ),
    ]:
        with pytest.raises(ts.InputError, match=message):
            from_layers(*wrong)


def test_layers_set_by_the_user_are_checked_before_use(rng):
    net = ts.SparseMLP((5, 4, 3), epsilon=2)
    X = rng.normal(size=(6, 5))
    first = net.layers[0]
    for wrong in (uniform(5, 9, 8), uniform(4, 5, 8)):
        net.layers[0] = IndexedLayer(wrong, np.ones(8, np.float32), np.zeros(wrong.n_out, np.float32), (0, 0.0))
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            net.predict(X)
        with pytest.raises(ts.InputError, match=r"layers\[0\] connects"):
            ts.Trainer(net).step(X, np.zeros(6, int))
    net.layers[0] = first
    first.values = first.values[:-1]
    with pytest.raises(ts.InputError, match=r"layers\[0\].values must be float32"):
        net.predict(X)
    net.layers.pop()
    with pytest.raises(ts.InputError, match="layers must have 2 entries, not 1"):
        net.predict(X)


def test_epsilon_is_none_where_density_was_given():
    assert ts.SparseMLP((5, 4), density=0.5).epsilon is None
    assert ts.SparseMLP((5, 4), epsilon=2).epsilon == 2.0
