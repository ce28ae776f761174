"""Starting connectivity: exact numbers, the pattern each promises, the same bits for any threads."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse import connectivity as tc

SHAPES = [(30, 50, 200), (50, 30, 1), (1, 9, 5), (9, 1, 9), (40, 40, 1600), (40, 40, 1300), (200, 100, 3000), (7, 7, 0)]


@pytest.mark.parametrize("name", list(tc.PATTERNS))
@pytest.mark.parametrize(("n_in", "n_out", "count"), SHAPES)
def test_exact_number_and_reproducible(name, n_in, n_out, count):
    make = tc.PATTERNS[name]
    con = make(n_in, n_out, count, seed=3, threads=1)
    check_invariants(con)
    assert (con.n_in, con.n_out, con.n_connections) == (n_in, n_out, count)
    again = make(n_in, n_out, count, seed=3, threads=3)
    assert con.indices.tobytes() == again.indices.tobytes()
    if 100 < count < n_in * n_out:
        assert make(n_in, n_out, count, seed=4).indices.tobytes() != con.indices.tobytes()


@pytest.mark.parametrize("count", [0, 1, 500, 1234, 2900])
def test_fixed_fan_in(count):
    con = tc.fixed_fan_in(60, 50, count, seed=1)
    fan = np.diff(con.indptr)
    assert set(fan) <= {count // 50, count // 50 + 1}
    assert fan.sum() == count


def test_fixed_fan_in_is_uniform():
    hits = sum(np.bincount(tc.fixed_fan_in(10, 4, 12, seed=s).indices, minlength=10) for s in range(400))
    expected = 400 * 12 / 10
    assert ((hits - expected) ** 2 / expected).sum() < 28  # 9 degrees of freedom: 0.1 %


def test_small_world_is_a_ring_that_rewires():
    ring = tc.small_world(100, 50, 500, rewiring=0)
    for j in range(50):
        inputs = ring.indices[ring.indptr[j] : ring.indptr[j + 1]]
        distance = (inputs - (2 * j + 1) * 100 // 100 + 50) % 100 - 50
        assert abs(distance).max() <= 5
        assert len(inputs) == 10
    shares = [
        np.isin(keys(tc.small_world(100, 50, 500, rewiring=p, seed=2)), keys(ring)).mean() for p in (0.0, 0.1, 0.5, 1.0)
    ]
    assert shares[0] == 1
    assert 0.85 < shares[1] < 0.97
    assert 0.45 < shares[2] < 0.7
    assert shares[3] < 0.2


def keys(con):
    return np.repeat(np.arange(con.n_out), np.diff(con.indptr)) * con.n_in + con.indices


def test_scale_free_has_hubs():
    free, random = tc.scale_free(2000, 2000, 8000, seed=1), tc.uniform(2000, 2000, 8000, seed=1)
    for side in ("by_input", "by_output"):
        degrees, plain = (np.diff(getattr(con, side).ptr) for con in (free, random))
        assert degrees.max() > 5 * plain.max()
        assert np.median(degrees) < np.median(plain)


def test_block_local():
    con = tc.block_local(40, 80, 500, blocks=4, seed=1)
    check_invariants(con)
    rows = np.repeat(np.arange(80), np.diff(con.indptr))
    np.testing.assert_array_equal(con.indices // 10, rows // 20)
    full = tc.block_local(40, 80, 800, blocks=4)
    assert full.n_connections == 800
    fewer = tc.block_local(40, 80, 801, blocks=4)
    assert set(fewer.indices // 14) == {0, 1, 2}  # three blocks have room


@pytest.mark.parametrize("name", list(tc.PATTERNS))
def test_networks_train_on_every_pattern(name):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 30)), rng.integers(0, 3, 64)
    net = ts.SparseMLP((30, 40, 24, 3), density=0.1, connectivity=name)
    assert net.density == pytest.approx(0.1, rel=0.01)
    ts.Trainer(net, evolution=ts.SET()).fit(X, y, epochs=2)
    own = ts.SparseMLP((30, 40, 24, 3), epsilon=2, connectivity=partial(tc.small_world, rewiring=0.5))
    assert own.n_connections == ts.SparseMLP((30, 40, 24, 3), epsilon=2).n_connections


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tc.uniform(3, 3, 10), "has at most 9"),
        (lambda: tc.small_world(3, 3, 2, rewiring=2), r"rewiring must lie in \[0, 1\]"),
        (lambda: tc.scale_free(3, 3, 2, exponent=1), "exponent must lie"),
        (lambda: ts.SparseMLP((3, 3), connectivity="star"), "connectivity must be one of"),
        (lambda: ts.SparseMLP((3, 3), density=0), "density must lie"),
        (lambda: ts.SparseMLP.from_matrices([]), "at least one layer"),
        (lambda: ts.SparseMLP.from_matrices([np.ones((3, 2)), np.ones((3, 2))]), "has 2 inputs, but the layer before"),
        (lambda: ts.SparseMLP.from_matrices([np.array([[np.nan]])]), "NaN or infinity"),
        (lambda: ts.SparseMLP.from_matrices([np.ones(3)]), r"must have shape \(n_out, n_in\)"),
        (lambda: ts.SparseMLP.from_matrices([np.ones((3, 2))], [np.ones(2)]), r"must have shape \(3,\)"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ts.InputError, match=message):
        call()
