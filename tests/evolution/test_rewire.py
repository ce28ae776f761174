"""One change of a layer against dictionaries of its connections."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import check_invariants
from evolution.views import existing, pairs, pruned, view_of
from trulysparse.evolution import grow
from trulysparse.evolution.rewire import Change, rewire


def table(view):
    """(input, output) -> (weight, state)."""
    rows = view.layer.connectivity.by_input
    inputs = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr)).tolist()
    values = zip(view.layer.values.tolist(), view.optimizer_state.weight[0].tolist(), strict=True)
    return dict(zip(zip(inputs, rows.index.tolist(), strict=True), values, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("fresh", [(), ("zero",), ("median",)])
def test_rewire_moves_state_and_gives_new_ones_theirs(threads, fresh):
    view = pruned(view_of())
    view.optimizer_state.fresh = fresh
    kept_state = view.optimizer_state.weight[0][view.keep_mask > 0]
    start = float(np.median(kept_state)) if fresh == ("median",) else 0.0
    before, kept = table(view), existing(view, kept_only=True)
    new = grow.uniform(view)
    weights = np.arange(1.0, view.count + 1, dtype=np.float32)
    expected = {place: before[place] for place in kept}
    rows = np.repeat(np.arange(view.layer.n_in), np.diff(new[0])).tolist()
    added = zip(rows, new[1].tolist(), strict=True)
    expected |= {place: (weight, start) for place, weight in zip(added, weights.tolist(), strict=True)}
    change = Change(view.keep_mask, new, weights)
    rewire(view.layer, view.optimizer_state, change, threads)
    assert table(view) == expected
    assert change == Change(None)
    check_invariants(view.layer.connectivity)


def test_rewire_without_new_connections_only_removes():
    view = pruned(view_of())
    kept = existing(view, kept_only=True)
    rewire(view.layer, view.optimizer_state, Change(view.keep_mask), 1)
    rows = view.layer.connectivity.by_input
    assert pairs(rows.ptr, rows.index) == kept
