"""Prune rules against their definitions written naively in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from evolution.views import view_of
from trulysparse.evolution import prune


def naive_smallest(scores, remove):
    keep = np.ones(len(scores), np.uint8)
    keep[np.argsort(np.abs(scores), kind="stable")[:remove]] = 0
    return keep


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_magnitude_any_fraction_removes_the_smallest(fraction, dtype):
    view = view_of(fraction=fraction, dtype=dtype)
    view.layer.values[::3] = 0.25  # ties
    expected = naive_smallest(view.layer.values, int(fraction * view.layer.n_connections))
    np.testing.assert_array_equal(prune.magnitude(view), expected)


def test_global_magnitude_layers_of_other_scale_remove_the_smallest_of_all():
    views = [view_of(seed=1, fraction=0.4), view_of((50, 20), seed=2, fraction=0.4), view_of((9, 9), 0.5, seed=3)]
    for scale, view in zip((1, 3, 0.1), views, strict=True):
        view.layer.values *= np.float32(scale)
    values = np.concatenate([view.layer.values for view in views])
    expected = naive_smallest(values, int(0.4 * len(values)))
    keep_masks = prune.GlobalMagnitude(least=0).across(views)
    np.testing.assert_array_equal(np.concatenate(keep_masks), expected)
    assert not keep_masks[2].any()
    spared = prune.GlobalMagnitude(least=2).across(views)[2]
    np.testing.assert_array_equal(np.flatnonzero(spared), np.sort(np.argsort(-np.abs(views[2].layer.values))[:2]))


def test_random_every_connection_is_removed_equally_often():
    counts = np.zeros(view_of((6, 5), 1.0).layer.n_connections)
    for key in range(600):
        view = view_of((6, 5), 1.0)
        view.key = key
        keep_mask = prune.random(view)
        assert (keep_mask == 0).sum() == int(0.3 * len(keep_mask))
        counts += keep_mask == 0
    assert abs(counts / 600 - counts.mean() / 600).max() < 0.09


def test_magnitude_and_gradient_equals_dense_gradient():
    view = view_of()
    dense = view.dy.astype(float) @ view.x.T.astype(float)
    rows = view.layer.connectivity.by_input
    gradient = dense[rows.index, np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))]
    np.testing.assert_allclose(view.gradient(), gradient, rtol=1e-4, atol=1e-4)
    expected = naive_smallest(np.abs(view.layer.values) + 0.5 * np.abs(gradient), int(0.3 * len(gradient)))
    np.testing.assert_array_equal(prune.MagnitudeAndGradient(0.5)(view), expected)


def test_sign_flip_changed_signs_are_removed():
    view = view_of()
    rule = prune.SignFlip(l1=0, noise=0)
    assert rule(view).all()  # the first time nothing has flipped
    view.layer.values[[3, 10, 20]] *= -1
    expected = np.ones(view.layer.n_connections, np.uint8)
    expected[[3, 10, 20]] = 0
    np.testing.assert_array_equal(rule(view), expected)
    rule.remember(view)
    assert rule(view).all()


def test_sign_flip_drift_and_noise_are_in_new_values_only():
    view = view_of()
    before = view.layer.values.copy()
    prune.SignFlip(l1=0.01, noise=0)(view)
    np.testing.assert_allclose(view.new_values, before - np.float32(0.01) * np.sign(before), rtol=1e-5)
    prune.SignFlip(l1=0, noise=0.1)(view)
    assert 0.05 < np.std(view.new_values - before) < 0.15
    np.testing.assert_array_equal(view.layer.values, before)  # until the evolution is carried out


def test_adaptive_threshold_doubles_and_halves_towards_the_fraction():
    views = [view_of(seed=1, fraction=0.2), view_of(seed=2, fraction=0.2)]
    rule, threshold = prune.AdaptiveThreshold(0.01), 0.01
    values = [view.layer.values for view in views]
    total = sum(map(len, values))
    for _ in range(12):
        keep_masks = rule.across(views)
        for keep_mask, w in zip(keep_masks, values, strict=True):
            np.testing.assert_array_equal(keep_mask, np.abs(w) >= threshold)
        removed = total - sum(int(k.sum()) for k in keep_masks)
        threshold *= 2 if removed < 0.9 * 0.2 * total else 0.5 if removed > 1.1 * 0.2 * total else 1
    assert threshold > 0.01
