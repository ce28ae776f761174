"""Versions of the topology: what is kept, and which neurons were removed."""

from __future__ import annotations

import numpy as np

from conftest import random_connectivity
from trulysparse.parallel.server.topology_history import TopologyHistory


def test_add_numbers_versions_and_drops_those_not_needed(rng):
    history = TopologyHistory(first_version=7)
    con = [random_connectivity(rng, 5, 4, 0.5)]
    assert [history.add(con, needed=[]) for _ in range(2)] == [7, 8]
    assert (7 in history, 8 in history, 9 in history, len(history)) == (False, True, False, 1)
    assert history.add(con, needed=[8]) == 9
    assert history.add(con, needed=[9, 8]) == 10
    assert [topology.version for topology in history.since(9)] == [9, 10]
    assert 8 in history
    history.add(con, needed=[10])
    assert [topology.version for topology in history.since(10)] == [10, 11]
    assert 9 not in history


def test_neurons_removed_twice_are_combined(rng):
    history = TopologyHistory(0)
    history.add([random_connectivity(rng, 5, 6, 0.5), random_connectivity(rng, 6, 2, 0.5)], needed=[])
    history.neurons_removed([np.array([True, False, True, True, False, True])])
    history.neurons_removed([np.array([False, True, True, False])])  # of the four that were left
    (keep_mask,) = history.since(0)[0].keep_masks
    np.testing.assert_array_equal(keep_mask, [False, False, True, True, False, False])
