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


def codes(ptr, index):
    """A number for each coordinate, ascending as they lie."""
    return np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)) * 1000 + index


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


def test_rewire_moves_any_number_of_arrays_of_any_type():
    """More than the kernel moves at a time, two of another type, and two that start at the weight."""
    view = pruned(view_of())
    n = view.layer.n_connections
    rng = np.random.default_rng(0)
    kinds = [np.float32, np.float64, np.float32, np.float32, np.float32, np.float64, np.float32]
    fresh = ("zero", 0.5, "weight", "median", 2.0, "zero", "weight")
    state = view.optimizer_state
    state.weight, state.fresh = [rng.standard_normal(n).astype(kind) for kind in kinds], fresh
    before = [view.layer.values.copy(), *state.weight]
    keep = view.keep_mask > 0
    old = codes(view.layer.connectivity.by_input.ptr, view.layer.connectivity.by_input.index)
    new = grow.uniform(view)
    weights = np.arange(1.0, view.count + 1, dtype=np.float32)
    rewire(view.layer, state, Change(view.keep_mask, new, weights), 2)
    after = codes(view.layer.connectivity.by_input.ptr, view.layer.connectivity.by_input.index)
    kept, grown = np.searchsorted(after, old[keep]), np.searchsorted(after, codes(*new))
    starts = [weights, 0.0, 0.5, weights, np.median(before[4][keep]), 2.0, 0.0, weights]
    for then, now, start in zip(before, [view.layer.values, *state.weight], starts, strict=True):
        assert now.dtype == then.dtype
        assert np.array_equal(now[kept], then[keep])
        assert np.allclose(now[grown], start, rtol=1e-6)
