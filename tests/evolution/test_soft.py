"""Soft removal against draws without replacement by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import trulysparse as ts
from conftest import narrowed
from evolution.views import view_of
from trulysparse import _kernels
from trulysparse.evolution import prune
from trulysparse.evolution.soft import relative_importance, soft


def strengths(view, relative):
    rows = view.layer.connectivity.by_input
    magnitude = np.abs(view.layer.values.astype(float))
    if not relative:
        return magnitude
    owner = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))
    out_of = np.bincount(owner, magnitude, view.layer.n_in)[owner]
    into = np.bincount(rows.index, magnitude, view.layer.n_out)[rows.index]
    return magnitude / out_of + magnitude / into


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_remaining_has_the_probability_of_its_strength(dtype, relative):
    view = view_of((6, 7), 2.0, dtype=dtype)
    n, times, power = view.layer.n_connections, 6000, 1.7
    often = np.zeros(n)
    for key in range(times):
        view.key = key
        keep_mask = soft(view, power, relative=relative, count=n - 1)
        assert keep_mask.sum() == 1
        often += keep_mask
    expected = strengths(view, relative) ** power
    expected *= times / expected.sum()
    enough = expected > 5
    given, wanted = np.append(often[enough], often[~enough].sum()), np.append(expected[enough], expected[~enough].sum())
    assert stats.chisquare(given[wanted > 0], wanted[wanted > 0]).pvalue > 1e-3


def test_many_remaining_are_drawn_without_replacement():
    view = view_of((6, 7), 2.0)
    n, times = view.layer.n_connections, 3000
    often, reference, random = np.zeros(n), np.zeros(n), np.random.default_rng(0)
    weight = strengths(view, False) ** 2
    for key in range(times):
        view.key = key
        often += soft(view, 2.0, count=n // 2) / times
        reference[random.choice(n, n - n // 2, replace=False, p=weight / weight.sum())] += 1 / times
    deviation = np.sqrt((often * (1 - often) + reference * (1 - reference)) / times + 1e-9)
    assert (np.abs(often - reference) / deviation).max() < 4.5


def test_power_zero_is_uniform_and_large_powers_keep_the_strongest():
    view = view_of((30, 40), 5.0)
    n = view.layer.n_connections
    often = np.zeros(n)
    for key in range(400):
        view.key = key
        often += soft(view, 0.0)
    assert abs(often - often.mean()).max() < 4.5 * np.sqrt(400 * 0.3 * 0.7)
    assert often.sum() == 400 * (n - int(0.3 * n))
    strongest = np.argsort(-np.abs(view.layer.values))[: n - int(0.3 * n)]
    np.testing.assert_array_equal(np.flatnonzero(soft(view, 1e7)), np.sort(strongest))


def test_zeros_go_first_and_any_of_them():
    view = view_of((30, 40), 5.0)
    n = view.layer.n_connections
    view.layer.values[: n // 2] = 0
    kept_zeros = []
    for key in range(40):
        view.key = key
        assert soft(view, 1.0, count=n // 2).tolist() == [0] * (n // 2) + [1] * (n - n // 2)
        keep_mask = soft(view, 1.0, count=n // 4)
        assert keep_mask[n // 2 :].all()
        kept_zeros.append(keep_mask[: n // 2])
    share = np.mean(kept_zeros, axis=0)
    assert share.min() > 0.15
    assert share.max() < 0.85


def test_extreme_strengths_have_no_overflow():
    values = np.array([1e-300, 1e300, 1e-310, 1.0, 0.0, 1e299])
    keep_mask = np.empty(6, np.uint8)
    _kernels.soft_keep(values, 1e6, 4, 1, keep_mask, 1)
    assert keep_mask.tolist() == [0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("count", [0, 1, 77, None])
@pytest.mark.parametrize("relative", [False, True])
def test_same_mask_for_any_threads(relative, count):
    masks = [
        soft(view_of((3000, 5000), 20.0, threads=threads), 3.0, relative=relative, count=count) for threads in (1, 2, 3)
    ]
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])
    n = len(masks[0])
    assert n - masks[0].sum() == (int(0.3 * n) if count is None else count)


def test_bfloat16_weights_are_those_of_float32():
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    stored = narrowed(values)
    rounded = (stored.astype(np.uint32) << 16).view(np.float32)
    masks = [np.empty(1000, np.uint8) for _ in range(2)]
    _kernels.soft_keep(stored, 2.0, 300, 5, masks[0], 1)
    _kernels.soft_keep(rounded, 2.0, 300, 5, masks[1], 1)
    np.testing.assert_array_equal(masks[0], masks[1])


def test_bad_arguments_are_refused():
    view = view_of()
    with pytest.raises(ts.InputError, match="power must lie in"):
        soft(view, -1.0)
    with pytest.raises(ts.InputError, match="count must"):
        soft(view, 1.0, count=view.layer.n_connections + 1)
    net = ts.SparseMLP((20, 30, 2), epsilon=3, storage="compact", seed=0)
    view.layer = net.layers[0]
    assert soft(view, 1.0).sum() == net.layers[0].n_connections - int(0.3 * net.layers[0].n_connections)
    with pytest.raises(ts.InputError, match="storage must be 'indexed'"):
        soft(view, 1.0, relative=True)


@pytest.mark.parametrize("elapsed, power", [(0.0, 1.0), (0.5, 5.0), (1.0, 9.0)])
@pytest.mark.parametrize("removal", ["wm", "ri"])
def test_soft_rule_draws_with_the_power_of_its_time(removal, elapsed, power):
    view = view_of(sizes=(60, 80), epsilon=5.0)
    view.elapsed = elapsed
    expected = soft(view, power, relative=removal == "ri")
    np.testing.assert_array_equal(prune.Soft(removal)(view), expected)
    assert expected.sum() == view.layer.n_connections - int(0.3 * view.layer.n_connections)


def test_soft_rule_asks_for_the_length_of_the_training():
    method = ts.CHTs(every_updates=5)
    assert method.needs_total
    assert not ts.CHTs(every_updates=5, until=50).needs_total
    layer = ts.SparseMLP((5, 4)).layers[0]
    with pytest.raises(ts.InputError, match="total_updates must be given"):
        ts.Evolver(method, layer, layer.new_state(ts.SGD()))


@pytest.mark.parametrize("arguments", [{"removal": "abs"}, {"start": -1}, {"end": float("nan")}])
def test_soft_rule_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError, match=rf"^{next(iter(arguments))} must"):
        prune.Soft(**arguments)


def test_relative_importance_is_the_share_of_both_sums():
    view = view_of(sizes=(30, 40), epsilon=2.0)
    layer = view.layer
    dense = np.abs(layer.weight.toarray().T.astype(np.float64))
    sums = dense.sum(axis=1, keepdims=True), dense.sum(axis=0, keepdims=True)
    expected = sum(dense / np.where(each > 0, each, 1) for each in sums)
    rows = layer.connectivity.by_input
    owner = np.repeat(np.arange(layer.n_in), np.diff(rows.ptr))
    np.testing.assert_allclose(relative_importance(layer), expected[owner, rows.index], rtol=1e-5)
