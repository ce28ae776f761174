"""Connections that go for good, by each scope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.evolution import LayerView
from trulysparse.evolution.reduce import reduce


@dataclass
class Share:
    """A fixed share of the initial connections."""

    share: float
    scope: str
    until: int | None = None
    needs_total: bool = False

    def target(self, initial, training_progress, total=None):
        return round(self.share * initial)


def views_of(sizes=(20, 30, 25, 3), fraction=0.2):
    net = ts.SparseMLP(sizes, epsilon=4, seed=0)
    states = [layer.new_state(ts.SGD(momentum=0.9)) for layer in net.layers]
    for state in states:
        state.weight[0][:] = np.arange(len(state.weight[0]))
    return [
        LayerView(layer, state, number, fraction, 1, 2)
        for number, (layer, state) in enumerate(zip(net.layers, states, strict=True))
    ]


def matrix(view, values):
    """(n_in, n_out), NaN where there is no connection."""
    rows = view.layer.connectivity.by_input
    full = np.full((view.layer.n_in, view.layer.n_out), np.nan)
    full[np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr)), rows.index] = values
    return full


def test_scope_network_removes_the_smallest_of_all_layers():
    views = views_of()
    state = {}
    every = np.sort(np.concatenate([np.abs(view.layer.values) for view in views]))
    before = [matrix(view, view.layer.values) for view in views]
    reduce(Share(0.6, "network"), views, state, 0.5, None)
    assert state["initial"] == len(every)
    left = round(0.6 * len(every))
    np.testing.assert_array_equal(np.sort(np.concatenate([np.abs(v.layer.values) for v in views])), every[-left:])
    for view, old in zip(views, before, strict=True):
        new = matrix(view, view.layer.values)
        stays = ~np.isnan(new)
        np.testing.assert_array_equal(new[stays], old[stays])
        assert len(view.optimizer_state.weight[0]) == view.layer.n_connections


def test_scope_layer_removes_the_least_relative_importance_of_each_layer():
    views = views_of()
    before = [np.abs(matrix(view, view.layer.values)) for view in views]
    counts = [view.layer.n_connections for view in views]
    reduce(Share(0.6, "layer"), views, {}, 0.5, None)
    for view, size, n in zip(views, before, counts, strict=True):
        scores = size / np.nansum(size, axis=0, keepdims=True) + size / np.nansum(size, axis=1, keepdims=True)
        assert view.layer.n_connections == round(0.6 * n)
        assert view.rule_state["initial"] == n
        now = ~np.isnan(matrix(view, view.layer.values))
        assert np.nanmin(scores[now]) >= np.nanmax(scores[~now & ~np.isnan(scores)]) * (1 - 1e-5)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 1.0])
def test_scope_rule_asks_the_prune_rule_for_more(fraction):
    views = views_of(fraction=fraction)
    counts = [view.layer.n_connections for view in views]
    reduce(Share(0.6, "rule"), views, {}, 0.5, None)
    for view, n in zip(views, counts, strict=True):
        assert view.layer.n_connections == n
        assert view.surplus == n - round(0.6 * n)
        removed = int(view.fraction * n)
        assert removed == min(n, int(view.surplus + 0.5 + fraction * round(0.6 * n)))
        assert removed >= view.surplus


def test_nothing_goes_where_there_are_few_enough():
    for scope in ("network", "layer", "rule"):
        views = views_of()
        counts = [view.layer.n_connections for view in views]
        reduce(Share(1.0, scope), views, {}, 0.5, None)
        assert [view.layer.n_connections for view in views] == counts
        assert not any(view.surplus for view in views)
