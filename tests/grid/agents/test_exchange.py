"""Exchange between neighbours: when, how much it takes, what comes of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.agents.exchange import Exchange


def fleet(n_agents=5):
    return ts.Fleet(n_agents, (6, 10, 1), density=0.4, output="identity", seed=1, threads=1)


def dense(net):
    """Weights of a network by layer, nan where there is no connection."""
    found = []
    for layer in net.layers:
        matrix = np.full((layer.n_out, layer.n_in), np.nan)
        entries = layer.weight.tocoo()
        matrix[entries.row, entries.col] = entries.data
        found.append(matrix)
    return found


def test_connections_are_averaged_over_those_that_own_them():
    net = fleet()
    before = [dense(each) for each in net]
    exchange = Exchange(5, 168, neighbours=2)
    states = [layer.new_state(ts.Adam()) for layer in net.layers]
    exchange.run(net, states)
    for agent in range(5):
        group = [agent, (agent + 1) % 5, (agent - 1) % 5]
        for layer, found in enumerate(dense(net[agent])):
            theirs = np.stack([before[each][layer] for each in group])
            owned = ~np.isnan(theirs).all(axis=0)
            mean = np.nanmean(np.where(owned, theirs, 0), axis=0)
            kept = ~np.isnan(found)
            assert kept.sum() == (~np.isnan(before[agent][layer])).sum()
            np.testing.assert_allclose(found[kept], mean[kept], rtol=0.02, atol=1e-3)  # sent as bfloat16
            left = np.abs(mean[owned & ~kept])
            assert not left.size or left.max() <= np.abs(mean[kept]).min() * 1.02
    assert all(len(state.weight[0]) == layer.n_connections for state, layer in zip(states, net.layers, strict=True))


def test_bytes_are_counted_for_every_receiver():
    net = fleet()
    exchange = Exchange(5, 168, neighbours=3)
    exchange.run(net)
    exchange.run(net)
    message = net.connections_per_agent * 4 + 11 * 2  # an index and a value each of two bytes, and eleven biases
    assert exchange.bytes_sent.tolist() == (2 * 3 * message).tolist()
    assert exchange.count == 2


def test_it_is_due_once_in_each_interval():
    exchange = Exchange(3, 168)
    times = np.arange(0, 2000, 37.5)
    due = [exchange.due(before, after) for before, after in pairwise(times)]
    assert sum(due) == int(times[-1] // 168)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1, 168), "at least 2 agents"), ((3, 0), "exchange must lie"), ((3, 168, 0), "neighbours must be at least 1")],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InputError, match=message):
        Exchange(*arguments)


def test_more_neighbours_than_there_are_means_all():
    assert Exchange(3, 168, neighbours=9).neighbours.tolist() == [[1, 2], [2, 0], [0, 1]]
