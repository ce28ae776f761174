"""Peers must do the same work as we do, or the comparison is worth nothing."""

from __future__ import annotations

import time

import pytest

import trulysparse as ts
from trulysparse.bench import PEERS, Problem, Timing, Unavailable, interleave, network_of_density


def small(name):
    """A small problem and the peer's step on it, or a skip."""
    problem = Problem.make("small", ts.SparseMLP((40, 60, 50, 5), epsilon=4, seed=1), 32)
    try:
        return problem, PEERS[name](problem, 2)
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", ["scipy+numba", "torch csr", "torch masked"])
def test_sparse_peers_take_the_same_steps(name):
    problem, peer = small(name)
    ours = PEERS["trulysparse"](problem, 2)
    losses = [(ours(), peer()) for _ in range(8)]
    assert losses[-1][0] < losses[0][0]
    for a, b in losses:
        assert b == pytest.approx(a, rel=1e-4)


@pytest.mark.parametrize("name", ["torch dense", "sklearn dense"])
def test_dense_peers_learn(name):
    _, peer = small(name)
    losses = [peer() for _ in range(20)]
    assert losses[-1] < losses[0]


def test_dense_peers_refuse_what_does_not_fit():
    problem = Problem.make("wide", ts.SparseMLP((100, 30_000, 30_000, 2), epsilon=1), 4)
    with pytest.raises(Unavailable, match="out of reach"):
        PEERS["sklearn dense"](problem, 1)


def test_density():
    net = network_of_density((100, 200, 50, 10), 0.1)
    assert [layer.n_connections for layer in net.layers] == [2000, 1000, 500]


def test_interleaving_measures_what_it_says():
    timings = interleave({"a": lambda: time.sleep(0.002), "b": lambda: time.sleep(0.01)}, seconds=0.1)
    medians = {t.name: t.median for t in timings}
    assert 0.002 <= medians["a"] < medians["b"]
    assert all(t.low <= t.median <= t.high for t in timings)
    assert len(timings[0].rounds) == len(timings[1].rounds) >= 3


def test_ratios_are_taken_round_by_round():
    ours = Timing("ours", 2.0, 1.0, 4.0, 3, (1.0, 2.0, 4.0))
    peer = Timing("peer", 30.0, 10.0, 50.0, 3, (10.0, 30.0, 40.0))
    assert peer.over(ours) == 10.0
    assert ours.over(ours) == 1.0
