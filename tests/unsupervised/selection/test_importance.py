"""Importance of features against dense formulas, and evolution that follows it."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.evolution import LayerView
from trulysparse.unsupervised.selection.importance import FeatureErrors, Importance


def a_view(number=0, fraction=0.4):
    net = ts.SparseMLP((30, 20, 30), density=(0.3, 0.3), output="identity", seed=0, threads=1)
    layer = net.layers[number]
    view = LayerView(layer, layer.new_state(ts.SGD()), number, fraction, key=3, threads=1)
    importance = Importance(FeatureErrors(30), 0.5)
    rng = np.random.default_rng(number)
    importance.of_inputs, importance.of_outputs = rng.random(30) ** 2 * 9, rng.random(30) ** 2 * 9
    return view, importance


@pytest.mark.parametrize("number", [0, 1])
def test_least_weight_times_importance_is_removed_of_each_sign(number):
    view, importance = a_view(number)
    keep = importance.prune(view).astype(bool)
    weights = view.layer.weight.toarray()  # (n_out, n_in)
    scores = weights * importance.of_inputs if number == 0 else weights * importance.of_outputs[:, None]
    flat = scores.T[weights.T != 0]  # in the order of connectivity.by_input
    for sign in (1, -1):
        sizes = np.where(sign * flat > 0, np.abs(flat), np.inf)
        gone = np.argsort(sizes)[: int(0.4 * np.isfinite(sizes).sum())]
        expected = np.isfinite(sizes)
        expected[gone] = False
        assert np.array_equal(keep & np.isfinite(sizes), expected)


@pytest.mark.parametrize("number", [0, 1])
def test_sampled_growth_is_in_proportion_to_importance_and_into_empty_places(number):
    counts = np.zeros(30)
    for key in range(60):
        view, importance = a_view(number)
        view.key, view.count = key, 12
        view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
        ptr, outputs = importance.grow_sampled(view)
        inputs = np.repeat(np.arange(view.layer.n_in), np.diff(ptr))
        assert not (view.layer.weight.toarray() != 0)[outputs, inputs].any()
        counts += np.bincount(inputs if number == 0 else outputs, minlength=30)
    weights = view.layer.weight.toarray() != 0
    empty = (~weights).sum(axis=0 if number == 0 else 1)
    wanted = (importance.of_inputs if number == 0 else importance.of_outputs) * empty
    wanted *= counts.sum() / wanted.sum()
    # 12 of about 420 empty places at a time: hardly different from drawing with replacement.
    assert np.abs(counts - wanted).max() < 5 * np.sqrt(wanted.max())
    assert np.corrcoef(counts, wanted)[0, 1] > 0.95


@pytest.mark.parametrize("count", [1, 7, 90])
@pytest.mark.parametrize("number", [0, 1])
def test_largest_growth_is_the_top_of_the_dense_product(number, count):
    view, importance = a_view(number)
    view.keep_mask, view.count = importance.prune(view), count
    ptr, outputs = importance.grow_largest(view)
    inputs = np.repeat(np.arange(view.layer.n_in), np.diff(ptr))
    assert len(set(zip(inputs.tolist(), outputs.tolist(), strict=True))) == count

    weights = view.layer.weight.toarray().T  # (n_in, n_out)
    product = (
        np.outer(importance.of_inputs, np.ones(20)) if number == 0 else np.outer(np.ones(20), importance.of_outputs)
    )
    kept = np.zeros(weights.shape, bool)
    kept[weights != 0] = view.keep_mask > 0
    best = np.sort(np.where(kept, -1.0, product).ravel())[-count:]
    np.testing.assert_array_equal(np.sort(product[inputs, outputs]), best)
    assert not kept[inputs, outputs].any()


def test_errors_are_the_means_of_a_batch_whatever_its_tiles():
    errors, rng = FeatureErrors(3), np.random.default_rng(0)
    z, target = rng.standard_normal((2, 3, 32))
    expected = np.abs(z[:, :20] - target[:, :20]).mean(axis=1)
    for part in (slice(0, 8), slice(8, 32)):
        weight = np.where(np.arange(32) < 20, 1 / 20, 0)[part]
        errors.gradient(np.ascontiguousarray(z[:, part]), np.ascontiguousarray(target[:, part]), weight, threads=1)
    np.testing.assert_allclose(errors.taken(), expected)
    assert not errors.taken().any()
