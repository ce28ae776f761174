"""A start on paths alone: every connection, whatever the sizes, and the numbers that were asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from trulysparse import connectivity as tc

SIZES = (784, 1000, 1000, 1000, 10)


def on_paths(layers) -> int:
    """Connections that lie on a path from an input to an output, by reachability in dense matrices."""
    patterns = [con.pattern().toarray() > 0 for con in layers]
    forward = [np.ones(layers[0].n_in, bool)]
    for pattern in patterns:
        forward.append((pattern & forward[-1]).any(axis=1))
    backward = [np.ones(layers[-1].n_out, bool)]
    for pattern in patterns[::-1]:
        backward.insert(0, (pattern & backward[0][:, None]).any(axis=0))
    return sum(int((pattern & forward[i] & backward[i + 1][:, None]).sum()) for i, pattern in enumerate(patterns))


@pytest.mark.parametrize("density", [0.0005, 0.001, 0.002, 0.05])
def test_every_connection_is_on_a_path_at_exact_counts(density):
    counts = tc.layer_counts(SIZES, density=density)
    layers = tc.Connected().draw_network(SIZES, counts, seed=1, threads=1)
    assert [con.n_connections for con in layers] == counts
    assert on_paths(layers) == sum(counts)
    for con in layers:
        check_invariants(con)
        fan = np.diff(con.indptr)
        assert len(set(fan[fan > 0])) <= 2  # equal, or one more
    assert (np.diff(layers[-1].indptr) > 0).all()
    used = np.count_nonzero(np.diff(layers[0].by_input.ptr))
    assert used == min(784, counts[0])


def test_live_neurons_have_the_fan_in_that_was_asked_for():
    counts = tc.layer_counts(SIZES, density=0.001)
    for fan_in in (4, 8, 12.5):
        layers = tc.Connected(fan_in).draw_network(SIZES, counts, seed=0, threads=1)
        for con in layers[:-1]:
            live = np.count_nonzero(np.diff(con.indptr))
            assert con.n_connections / live == pytest.approx(fan_in, rel=0.02)
    dense = tc.Connected().draw_network((30, 20, 5), (600, 100), seed=0, threads=1)
    assert [con.density for con in dense] == [1, 1]


def test_any_sizes_and_counts():
    random = np.random.default_rng(0)
    for trial in range(300):
        sizes = random.integers(1, 13, size=random.integers(2, 6)).tolist()
        counts = [int(random.integers(1, a * b + 1)) for a, b in pairwise(sizes)]
        counts[-1] = max(counts[-1], sizes[-1])
        made = tc.Connected(float(random.choice([1, 2, 5])))
        layers = made.draw_network(sizes, counts, seed=trial, threads=1)
        assert on_paths(layers) == sum(con.n_connections for con in layers)
        assert (np.diff(layers[-1].indptr) > 0).all()
        for number, (con, count) in enumerate(zip(layers, counts, strict=True)):
            if con.n_connections != count:  # only where the layers beside it cannot reach enough neurons
                most = [min(n, *counts[max(0, i - 1) : i + 1]) for i, n in enumerate(sizes)]
                assert con.n_connections == most[number] * (most[number + 1] if number < len(counts) - 1 else sizes[-1])


def test_same_bits_for_any_threads_and_others_for_another_seed():
    counts = tc.layer_counts((300, 200, 200, 5), density=0.02)
    one, three, other = (
        tc.Connected().draw_network((300, 200, 200, 5), counts, seed=seed, threads=threads)
        for seed, threads in [(3, 1), (3, 3), (4, 1)]
    )
    for a, b, c in zip(one, three, other, strict=True):
        assert a.indices.tobytes() == b.indices.tobytes()
        assert a.indptr.tobytes() == b.indptr.tobytes()
        assert a.indices.tobytes() != c.indices.tobytes()


def test_partners_are_uniform():
    hits = np.zeros((12, 9))
    for seed in range(600):
        (con,) = tc.Connected().draw_network((12, 9), (30,), seed=seed, threads=1)
        hits += con.pattern().toarray().T
    expected = 600 * 30 / 108
    assert ((hits - expected) ** 2 / expected).sum() < 158  # 107 degrees of freedom: 0.1 %, and draws are exclusive


def test_learns_where_a_random_start_does_not():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 50)).astype(np.float32)
    y = (X[:, :25].sum(axis=1) > X[:, 25:].sum(axis=1)).astype(int)
    losses = {}
    for name in ("erdos_renyi", "connected"):
        net = ts.SparseMLP((50, 300, 300, 2), density=0.002, connectivity=name, activation="relu", fan="sparse")
        trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=32)
        losses[name] = trainer.fit(X, y, epochs=20)["loss"][-1]
    assert losses["connected"] < 0.8 * losses["erdos_renyi"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tc.Connected(0.5), "fan_in must lie"),
        (lambda: tc.Connected().draw_network((5, 5, 3), (5, 2)), "an input for each of 3 output neurons"),
        (lambda: tc.Connected().draw_network((5, 5, 3), (0, 4)), "layer 0 has none"),
        (lambda: tc.Connected().draw_network((5, 5, 3), (26, 4)), "at most 25"),
        (lambda: ts.SparseMLP((5, 5, 3), epsilon=0.2, connectivity="connected"), "give output_density"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ts.InputError, match=message):
        call()
