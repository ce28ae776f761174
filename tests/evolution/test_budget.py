"""Budget rules: totals, proportions and limits."""

from __future__ import annotations

import numpy as np
import pytest

from evolution.views import pruned, view_of
from trulysparse.evolution import budget


def three_views():
    return [pruned(view_of(seed=1)), pruned(view_of((30, 26), 2.0, 0.5, seed=2)), pruned(view_of((50, 50), seed=3))]


def test_as_lost_is_what_each_layer_lost():
    views = three_views()
    assert budget.as_lost(views) == [int((view.keep_mask == 0).sum()) for view in views]


def test_by_survivors_follows_the_surviving_connections():
    views = three_views()
    counts, lost = budget.by_survivors(views), sum(budget.as_lost(views))
    assert sum(counts) == lost
    assert all(n <= view.n_empty for n, view in zip(counts, views, strict=True))
    survivors = np.array([view.keep_mask.sum() for view in views])
    np.testing.assert_allclose(np.array(counts) / lost, survivors / survivors.sum(), atol=0.02)


def test_by_momentum_follows_the_mean_momentum():
    views = three_views()
    counts, lost = budget.by_momentum(views), sum(budget.as_lost(views))
    assert sum(counts) == lost
    means = [np.abs(v.optimizer_state.weight[0])[v.keep_mask.astype(bool)].mean() for v in views]
    np.testing.assert_allclose(np.array(counts) / lost, np.array(means) / sum(means), atol=0.02)


def test_by_momentum_without_momentum_is_as_lost():
    views = three_views()
    views[1].optimizer_state.weight.clear()
    assert budget.by_momentum(views) == budget.as_lost(views)


@pytest.mark.parametrize("weights", [[0, 0, 0], [1, 0, 0], [1e9, 1, 1], [1, 2, 3]])
def test_split_in_proportion_never_exceeds_what_is_empty(weights):
    views = [view_of((4, 4), 1.5, 0.9), view_of((4, 4), 2.0, 1.0), view_of((10, 4), 0.2, 1.0)]
    counts = budget.split_in_proportion([pruned(v) for v in views], weights)
    assert sum(counts) == sum(v.removed for v in views)
    assert all(0 <= n <= v.n_empty for n, v in zip(counts, views, strict=True))
