"""Who exchanges with whom."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.fleet.neighbours import checked_neighbours, groups_of, random_neighbours, ring_neighbours


@pytest.mark.parametrize("n_agents, k", [(2, 1), (5, 4), (50, 1), (50, 3), (50, 49)])
def test_everyone_has_k_others_and_is_taken_by_k(n_agents, k):
    for drawn in (random_neighbours(n_agents, k, seed=2), ring_neighbours(n_agents, k)):
        assert drawn.shape == (n_agents, k)
        assert (np.bincount(drawn.ravel(), minlength=n_agents) == k).all()
        assert checked_neighbours(drawn, n_agents) is not None  # others, each once


def test_random_neighbours_change_from_one_exchange_to_the_next():
    drawn = [random_neighbours(40, 3, seed=0, count=count) for count in range(400)]
    np.testing.assert_array_equal(drawn[5], random_neighbours(40, 3, seed=0, count=5))
    pairs = np.zeros((40, 40))
    for one in drawn:
        np.add.at(pairs, (np.repeat(np.arange(40), 3), one.ravel()), 1)
    assert (np.diag(pairs) == 0).all()
    others = pairs[~np.eye(40, dtype=bool)]  # each as likely: 400 * 3 / 39 = 30.8 times, deviation 5.3
    assert others.min() > 8
    assert others.max() < 60


def test_ring_neighbours_are_the_nearest():
    distance = np.abs(ring_neighbours(11, 4) - np.arange(11)[:, None])
    assert (np.minimum(distance, 11 - distance) <= 2).all()
    assert ring_neighbours(11, 3)[0].tolist() == [1, 10, 2]


def test_groups_hold_the_agent_and_its_neighbours():
    ptr, group = groups_of(np.array([[2, -1], [-1, -1], [0, 1]]))
    assert ptr.tolist() == [0, 2, 3, 6]
    assert group.tolist() == [0, 2, 1, 0, 1, 2]


@pytest.mark.parametrize(
    "call", [lambda: ring_neighbours(1, 1), lambda: ring_neighbours(5, 5), lambda: random_neighbours(5, 0, seed=0)]
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(ts.InputError, match=r"n_agents|k must be"):
        call()
