"""Peers must do the same work as we do, or the comparison is worth nothing."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.bench import PEERS, Problem, Unavailable


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
