"""Every prune, growth, budget and schedule rule against its definition written naively in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.arrays import zeros
from trulysparse.evolution import LayerView, budget, grow, prune
from trulysparse.optim import OptimizerState

BATCH = 32


def view_of(sizes=(30, 40), epsilon=3.0, fraction=0.3, *, seed=0, dtype="float32", batch=BATCH, threads=2):
    net = ts.SparseMLP((*sizes, 2), epsilon=epsilon, seed=seed, dtype=dtype)
    layer = net.layers[0]
    rng = np.random.default_rng(seed)
    stride = _kernels.padded_batch(batch)
    x, dy = (zeros(n * stride, net.dtype).reshape(n, stride) for n in sizes)
    x[:, :batch] = rng.standard_normal((sizes[0], batch))
    dy[:, :batch] = rng.standard_normal((sizes[1], batch))
    optimizer_state = OptimizerState(
        [rng.standard_normal(layer.n_connections).astype(dtype)], [np.zeros(layer.n_out, dtype)]
    )
    return LayerView(layer, optimizer_state, 0, fraction, 7, threads, x=x, dy=dy)


def pairs(ptr, index):
    return set(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


def existing(view, kept_only=False):
    rows = view.layer.connectivity.by_input
    all_pairs = list(
        zip(np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr)).tolist(), rows.index.tolist(), strict=True)
    )
    return {p for p, k in zip(all_pairs, view.keep_mask, strict=True) if k or not kept_only}


def check_places(view, places):
    """view.count distinct places, sorted, none of them kept."""
    ptr, index = places
    assert len(index) == view.count
    assert ptr[0] == 0
    assert ptr[-1] == len(index)
    for r in range(len(ptr) - 1):
        assert (np.diff(index[ptr[r] : ptr[r + 1]]) > 0).all()
    found = pairs(ptr, index)
    assert not found & existing(view, kept_only=True)
    assert all(0 <= i < view.layer.n_in and 0 <= j < view.layer.n_out for i, j in found)
    return found


def pruned(view):
    view.keep_mask = prune.magnitude(view)
    view.count = view.removed
    return view


# ---- prune ----


def naive_smallest(scores, remove):
    keep = np.ones(len(scores), np.uint8)
    keep[np.argsort(np.abs(scores), kind="stable")[:remove]] = 0
    return keep


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_magnitude(fraction, dtype):
    view = view_of(fraction=fraction, dtype=dtype)
    view.layer.values[::3] = 0.25  # ties
    expected = naive_smallest(view.layer.values, int(fraction * view.layer.n_connections))
    np.testing.assert_array_equal(prune.magnitude(view), expected)


def test_global_magnitude():
    views = [view_of(seed=1, fraction=0.4), view_of((50, 20), seed=2, fraction=0.4), view_of((9, 9), 0.5, seed=3)]
    for scale, view in zip((1, 3, 0.1), views, strict=True):
        view.layer.values *= np.float32(scale)
    values = np.concatenate([view.layer.values for view in views])
    expected = naive_smallest(values, int(0.4 * len(values)))
    keeps = prune.GlobalMagnitude(least=0).across(views)
    np.testing.assert_array_equal(np.concatenate(keeps), expected)
    assert not keeps[2].any()
    spared = prune.GlobalMagnitude(least=2).across(views)[2]
    np.testing.assert_array_equal(np.flatnonzero(spared), np.sort(np.argsort(-np.abs(views[2].layer.values))[:2]))


def test_random_prune_is_uniform():
    counts = np.zeros(view_of((6, 5), 1.0).layer.n_connections)
    for key in range(600):
        view = view_of((6, 5), 1.0)
        view.key = key
        keep = prune.random(view)
        assert (keep == 0).sum() == int(0.3 * len(keep))
        counts += keep == 0
    assert abs(counts / 600 - counts.mean() / 600).max() < 0.09


def test_magnitude_and_gradient():
    view = view_of()
    dense = view.dy.astype(float) @ view.x.T.astype(float)
    rows = view.layer.connectivity.by_input
    gradient = dense[rows.index, np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))]
    np.testing.assert_allclose(view.gradient(), gradient, rtol=1e-4, atol=1e-4)
    expected = naive_smallest(np.abs(view.layer.values) + 0.5 * np.abs(gradient), int(0.3 * len(gradient)))
    np.testing.assert_array_equal(prune.MagnitudeAndGradient(0.5)(view), expected)


def test_sign_flip():
    view = view_of()
    rule = prune.SignFlip(l1=0, noise=0)
    assert rule(view).all()  # the first time nothing has flipped
    view.layer.values[[3, 10, 20]] *= -1
    expected = np.ones(view.layer.n_connections, np.uint8)
    expected[[3, 10, 20]] = 0
    np.testing.assert_array_equal(rule(view), expected)
    rule.remember(view)
    assert rule(view).all()
    before = view.layer.values.copy()
    prune.SignFlip(l1=0.01, noise=0)(view)
    np.testing.assert_allclose(view.new_values, before - np.float32(0.01) * np.sign(before), rtol=1e-5)
    prune.SignFlip(l1=0, noise=0.1)(view)
    assert 0.05 < np.std(view.new_values - before) < 0.15
    np.testing.assert_array_equal(view.layer.values, before)  # until the evolution is carried out


def test_adaptive_threshold():
    views = [view_of(seed=1, fraction=0.2), view_of(seed=2, fraction=0.2)]
    rule, threshold = prune.AdaptiveThreshold(0.01), 0.01
    values = [view.layer.values for view in views]
    total = sum(map(len, values))
    for _ in range(12):
        keeps = rule.across(views)
        for keep, w in zip(keeps, values, strict=True):
            np.testing.assert_array_equal(keep, np.abs(w) >= threshold)
        removed = total - sum(int(k.sum()) for k in keeps)
        threshold *= 2 if removed < 0.9 * 0.2 * total else 0.5 if removed > 1.1 * 0.2 * total else 1
    assert threshold > 0.01


# ---- grow ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3, 8, 32, 129])
@pytest.mark.parametrize("sizes", [(30, 40), (7, 300), (100, 1), (1, 5), (65, 129)])
def test_largest_gradient_is_the_dense_top_k(isa, sizes, batch, dtype):
    view = pruned(view_of(sizes, 1.0, dtype=dtype, batch=batch))
    places = grow.LargestGradient()(view)
    found = check_places(view, places)
    dense = np.abs(view.x.astype(float) @ view.dy.T.astype(float))
    for i, j in existing(view, kept_only=True):
        dense[i, j] = -1
    order = np.argsort(-dense, axis=None, kind="stable")[: view.count]
    expected = {divmod(int(p), sizes[1]) for p in order}
    if found != expected:  # rounding may exchange equals only
        worst = dense.flat[order[-1]]
        for i, j in found ^ expected:
            assert dense[i, j] == pytest.approx(worst, rel=1e-4)


def test_largest_gradient_ties_and_threads():
    """All gradients equal: the first places win, whatever the threads; counts beyond the candidate buffer."""
    results = []
    for threads in (1, 2, 5):
        view = view_of((300, 400), 2.0, threads=threads)
        view.x[:], view.dy[:] = 1, 1
        view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
        view.count = 60_000
        places = grow.LargestGradient()(view)
        results.append(check_places(view, places))
    empty = sorted({(i, j) for i in range(300) for j in range(400)} - existing(view))
    assert results[0] == results[1] == results[2] == set(empty[:60_000])


def test_exact_gradient_of_a_giant_layer_is_refused(monkeypatch):
    view = pruned(view_of((30, 40)))
    monkeypatch.setattr(grow, "MAX_MULTIPLY_ADDS", 30 * 40 * BATCH - 1)
    with pytest.raises(ts.InputError, match="the method GSE"):
        grow.LargestGradient()(view)


def test_all_that_is_left():
    view = view_of((20, 30), 5.0)
    view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
    view.count = view.n_empty
    for rule in (grow.uniform, grow.LargestGradient(), grow.Active(), grow.GuidedGradient(0.1)):
        check_places(view, rule(view))


def test_uniform_and_elsewhere():
    view = pruned(view_of((30, 40), 4.0))
    check_places(view, grow.uniform(view))
    places = grow.uniform_excluding_pruned(view)
    assert not check_places(view, places) & existing(view)


@pytest.mark.parametrize("distribution", ["uniform", "bound"])
def test_guided_gradient_takes_the_best_of_its_candidates(distribution, monkeypatch):
    view = pruned(view_of((60, 50), 3.0))
    seen = {}
    true_best = grow.best

    def watched(view, places, scores):
        seen["places"], seen["scores"] = places, scores
        return true_best(view, places, scores)

    monkeypatch.setattr(grow, "best", watched)
    found = check_places(view, grow.GuidedGradient(1.0, distribution)(view))
    ptr, index = seen["places"]
    assert len(index) == view.layer.n_connections
    rows = np.repeat(np.arange(60), np.diff(ptr))
    dense = view.x.astype(float) @ view.dy.T.astype(float)
    np.testing.assert_allclose(seen["scores"], dense[rows, index], rtol=1e-3, atol=1e-3)
    order = np.argsort(-np.abs(seen["scores"]), kind="stable")[: view.count]
    assert found == {(int(rows[k]), int(index[k])) for k in order}


def test_weighted_follows_its_weights():
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


# ---- budgets and schedules ----


def test_budgets():
    views = [pruned(view_of(seed=1)), pruned(view_of((30, 26), 2.0, 0.5, seed=2)), pruned(view_of((50, 50), seed=3))]
    lost = [view.removed for view in views]
    assert budget.as_lost(views) == lost
    survivors = budget.by_survivors(views)
    assert sum(survivors) == sum(lost)
    assert all(n <= view.n_empty for n, view in zip(survivors, views, strict=True))
    momentum = budget.by_momentum(views)
    assert sum(momentum) == sum(lost)
    means = [np.abs(v.optimizer_state.weight[0])[v.keep_mask.astype(bool)].mean() for v in views]
    shares = np.array(momentum) / sum(lost)
    np.testing.assert_allclose(shares, np.array(means) / sum(means), atol=0.02)


@pytest.mark.parametrize("weights", [[0, 0, 0], [1, 0, 0], [1e9, 1, 1], [1, 2, 3]])
def test_shares_respect_room(weights):
    views = [view_of((4, 4), 1.5, 0.9), view_of((4, 4), 2.0, 1.0), view_of((10, 4), 0.2, 1.0)]
    counts = budget.split_in_proportion([pruned(v) for v in views], weights)
    assert sum(counts) == sum(v.removed for v in views)
    assert all(0 <= n <= v.n_empty for n, v in zip(counts, views, strict=True))


def test_schedules():
    every = ts.Schedule(0.4, every_steps=10, decay="cosine", stop=0.5)
    assert [done for done in range(101) if every.due(done, 7, 100)] == [10, 20, 30, 40, 50]
    for progress in (0.0, 0.2, 0.5, 0.9):
        p = min(1.0, progress / 0.5)
        assert every.fraction_at(progress) == pytest.approx(0.2 * (1 + math.cos(math.pi * p)))
    epochs = ts.Schedule(0.4, every_epochs=2, decay="linear")
    assert [done for done in range(71) if epochs.due(done, 7, 70)] == [14, 28, 42, 56]
    assert epochs.fraction_at(0.25) == pytest.approx(0.3)
    cubic = ts.CubicDensity(0.25, start=0.1, stop=0.6)
    assert cubic.target(1000, 0.05) == 1000
    assert cubic.target(1000, 0.35) == round(1000 * (0.25 + 0.75 * 0.5**3))
    assert cubic.target(1000, 0.9) == 250
    with pytest.raises(ts.InputError, match="either every_steps or every_epochs"):
        ts.Schedule(0.3)
    with pytest.raises(ts.InputError, match="decay must be one of"):
        ts.Schedule(0.3, every_steps=1, decay="wave")
