"""Growth rules against their definitions written naively in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.views import BATCH, check_coordinates, existing, pairs, pruned, view_of
from trulysparse.evolution import grow


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3, 8, 32, 129])
@pytest.mark.parametrize("sizes", [(30, 40), (7, 300), (100, 1), (1, 5), (65, 129)])
def test_largest_gradient_is_the_dense_top_k(isa, sizes, batch, dtype):
    view = pruned(view_of(sizes, 1.0, dtype=dtype, batch=batch))
    chosen = check_coordinates(view, grow.LargestGradient()(view))
    dense = np.abs(view.x.astype(float) @ view.dy.T.astype(float))
    for i, j in existing(view, kept_only=True):
        dense[i, j] = -1
    order = np.argsort(-dense, axis=None, kind="stable")[: view.count]
    expected = {divmod(int(p), sizes[1]) for p in order}
    if chosen != expected:  # rounding may exchange equals only
        worst = dense.flat[order[-1]]
        for i, j in chosen ^ expected:
            assert dense[i, j] == pytest.approx(worst, rel=1e-4)


def test_largest_gradient_ties_take_the_first_for_any_threads():
    """All gradients equal: the first coordinates win, whatever the threads; counts beyond the candidate buffer."""
    results = []
    for threads in (1, 2, 5):
        view = view_of((300, 400), 2.0, threads=threads)
        view.x[:], view.dy[:] = 1, 1
        view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
        view.count = 60_000
        results.append(check_coordinates(view, grow.LargestGradient()(view)))
    empty = sorted({(i, j) for i in range(300) for j in range(400)} - existing(view))
    assert results[0] == results[1] == results[2] == set(empty[:60_000])


def test_largest_gradient_giant_layer_is_refused(monkeypatch):
    view = pruned(view_of((30, 40)))
    monkeypatch.setattr(grow, "MAX_MULTIPLY_ADDS", 30 * 40 * BATCH - 1)
    with pytest.raises(ts.InputError, match="the method GSE"):
        grow.LargestGradient()(view)


def test_grow_all_that_is_empty_fills_the_layer():
    view = view_of((20, 30), 5.0)
    view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
    view.count = view.n_empty
    for rule in (grow.uniform, grow.LargestGradient(), grow.Active(), grow.GuidedGradient(0.1)):
        check_coordinates(view, rule(view))


def test_uniform_and_excluding_pruned_give_empty_coordinates():
    view = pruned(view_of((30, 40), 4.0))
    check_coordinates(view, grow.uniform(view))
    assert not check_coordinates(view, grow.uniform_excluding_pruned(view)) & existing(view)


def test_uniform_excluding_pruned_too_few_empty_takes_pruned_ones_too():
    view = view_of((4, 5), 2.0, 1.0)  # 18 of 20
    view.keep_mask = np.zeros(view.layer.n_connections, np.uint8)
    view.count = view.removed
    check_coordinates(view, grow.uniform_excluding_pruned(view))


def test_no_growth_has_no_coordinates():
    view = pruned(view_of())
    ptr, index = grow.no_growth(view)
    assert ptr.tolist() == [0] * 31
    assert len(index) == 0


@pytest.mark.parametrize("distribution", ["uniform", "bound"])
def test_guided_gradient_takes_the_best_of_its_candidates(distribution, monkeypatch):
    view = pruned(view_of((60, 50), 3.0))
    seen = {}
    true_best = grow.best

    def watched(view, coordinates, scores):
        seen["coordinates"], seen["scores"] = coordinates, scores
        return true_best(view, coordinates, scores)

    monkeypatch.setattr(grow, "best", watched)
    chosen = check_coordinates(view, grow.GuidedGradient(1.0, distribution)(view))
    ptr, index = seen["coordinates"]
    assert len(index) == view.layer.n_connections
    rows = np.repeat(np.arange(60), np.diff(ptr))
    dense = view.x.astype(float) @ view.dy.T.astype(float)
    np.testing.assert_allclose(seen["scores"], dense[rows, index], rtol=1e-3, atol=1e-3)
    order = np.argsort(-np.abs(seen["scores"]), kind="stable")[: view.count]
    assert chosen == {(int(rows[k]), int(index[k])) for k in order}


def test_weighted_many_draws_follow_the_weights():
    counts = np.zeros((5, 4))
    of_input, of_output = np.array([0, 1.0, 2, 3, 4]), np.array([1.0, 0, 1, 2])
    for key in range(300):
        view = view_of((5, 4), 0.12, 1.0)
        view.keep_mask, view.key, view.count = np.zeros(view.layer.n_connections, np.uint8), key, 1
        for i, j in pairs(*grow.weighted(view, of_input, of_output, 1)):
            counts[i, j] += 1
    expected = np.outer(of_input, of_output) / (of_input.sum() * of_output.sum()) * 300
    assert counts[expected == 0].sum() == 0
    chi = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert chi < 30  # 11 degrees of freedom: beyond 0.2 %
