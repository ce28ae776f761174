"""CHTs: soft removal, percolation, growth by local communities."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.test_live import live_by_products, pattern
from trulysparse.evolution import LayerView, grow
from trulysparse.evolution.local_community import LocalCommunity
from trulysparse.evolution.soft import soft


def network(epsilon=2.0):
    net = ts.SparseMLP((20, 60, 50, 40, 5), epsilon=epsilon, seed=0)
    return net, [layer.new_state(ts.SGD(momentum=0.9)) for layer in net.layers]


def weights_of(layer):
    """(n_in, n_out), NaN where there is no connection."""
    dense = np.full((layer.n_in, layer.n_out), np.nan)
    rows = layer.connectivity.by_input
    dense[np.repeat(np.arange(layer.n_in), np.diff(rows.ptr)), rows.index] = layer.values
    return dense


@pytest.mark.parametrize("removal", ["wm", "ri"])
@pytest.mark.parametrize("progress, power", [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)])
def test_chts_keeps_what_is_drawn_and_on_a_path_and_regrows_all_that_was_lost(removal, progress, power):
    net, states = network()
    before = [weights_of(layer) for layer in net.layers]
    masks = [
        soft(LayerView(layer, state, number, 0.3, 7, 1), power, relative=removal == "ri")
        for number, (layer, state) in enumerate(zip(net.layers[:-1], states, strict=False))
    ]
    drawn = [pattern(layer, mask) for layer, mask in zip(net.layers, [*masks, None], strict=True)]
    reached, reaching = live_by_products(drawn)
    kept = [dense * np.outer(reached[n], reaching[n + 1]) > 0 for n, dense in enumerate(drawn[:-1])]
    assert sum(each.sum() for each in kept) < sum(each.sum() for each in drawn[:-1])  # some are percolated
    method = ts.CHTs(removal=removal, end=3.0)
    added = method.evolve(net, states, 7, 2, training_progress=progress)
    for layer, old, stays in zip(net.layers, before, kept, strict=False):
        new = weights_of(layer)
        np.testing.assert_array_equal(new[stays], old[stays])
        assert layer.n_connections == np.count_nonzero(~np.isnan(old))
        grown = ~np.isnan(new) & ~stays
        again = grown & ~np.isnan(old)  # removed and grown again: they keep their weight
        np.testing.assert_array_equal(new[again], old[again])
        assert not new[grown & ~again].any()
        added -= int((grown & ~again).sum())
    assert added == 0
    np.testing.assert_array_equal(weights_of(net.layers[-1]), before[-1])


def test_chts_grows_where_local_communities_are():
    """All that grows has a path of length three through connections that remain, as long as there are enough."""
    net, states = network(epsilon=6.0)
    step = ts.CHTs(0.1).start(net, states, key=3, threads=1)
    step.decide(1, None, None)
    view = step.views[1]
    rest = pattern(view.layer, view.keep_mask)
    paths = rest @ rest.T @ rest
    ptr, index = view.new_connections
    owner = np.repeat(np.arange(view.layer.n_in), np.diff(ptr))
    assert len(index) > 20
    assert (paths[owner, index] > 0).all()


def test_chts_growth_and_percolation_are_options():
    assert isinstance(ts.CHTs().grow, LocalCommunity)
    assert ts.CHTs(growth="uniform").grow is grow.uniform
    assert ts.CHTs().percolate
    net, states = network(epsilon=0.5)
    kept = ts.CHTs(percolate=False).start(net, states, key=3, threads=1)
    kept.decide(0, None, None)
    assert kept.views[0].removed == int(0.3 * net.layers[0].n_connections)


def test_chts_works_on_a_single_layer_and_on_layers_that_do_not_belong_together():
    layers = [ts.SparseMLP(sizes, epsilon=4, seed=0).layers[0] for sizes in ((30, 20), (50, 40))]
    states = [layer.new_state(ts.SGD()) for layer in layers]
    assert ts.Evolver(ts.CHTs(every_updates=1, until=9), layers[0], states[0]).evolve() > 0
    assert ts.Evolver(ts.CHTs(percolate=False, every_updates=1, until=9), layers, states).evolve() > 0
    with pytest.raises(ts.InputError, match="percolate needs layers that follow one another"):
        ts.Evolver(ts.CHTs(every_updates=1, until=9), layers, states)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"zeta": 1.1}, "zeta must lie in"),
        ({"removal": "mw"}, "removal must be one of wm, ri"),
        ({"growth": "ch3"}, "growth must be one of ch2_l3, uniform"),
        ({"start": -1}, "start must lie in"),
        ({"every_updates": 0}, "every_updates must be at least 1"),
    ],
)
def test_chts_bad_argument_is_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.CHTs(**arguments)
