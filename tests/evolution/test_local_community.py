"""Growth along paths against the score matrix, written naively in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

import trulysparse as ts
from evolution.views import check_coordinates, pruned, view_of
from trulysparse import _kernels
from trulysparse.evolution import LayerView, local_community
from trulysparse.evolution.local_community import LocalCommunity

SHAPES = [((12, 9), 0.3), ((6, 30), 0.2), ((30, 6), 0.25), ((15, 15), 0.6), ((8, 8), 0.85), ((3, 40), 0.5)]


def scores_of(present):
    """CH2-L3n of each empty place."""

    def one_side(x):
        shared, degree = x @ x.T, x.sum(axis=1)
        weight = np.where(shared > 0, (shared + 1) / np.maximum(1, degree[None, :] - shared), 0)
        return weight @ x

    x = present.astype(float)
    return np.where(present, 0, one_side(x) + one_side(x.T).T)


def present_at(shape, density, seed=0):
    """Where there are connections: an empty row and an empty column among them."""
    present = np.random.default_rng(seed).random(shape) < density
    present[2], present[:, 1] = False, False
    return present


def view_on(present, count, *, key=0, threads=1, keep_mask=None):
    layer = ts.SparseMLP.from_matrices([sp.csr_array(present.T.astype(np.float32))]).layers[0]
    return LayerView(layer, layer.new_state(ts.SGD()), 0, 0.0, key, threads, count=count, keep_mask=keep_mask)


def places(view, coordinates):
    """The coordinates as an array of 0 and 1, after checks."""
    grown = np.zeros((view.layer.n_in, view.layer.n_out), np.int64)
    for i, j in check_coordinates(view, coordinates):
        grown[i, j] = 1
    return grown


def drawn_often(present, count, times):
    """How often each place is among `count` drawn ones, and a view."""
    rows = view_on(present, count).layer.connectivity.by_input
    often = np.zeros(present.shape)
    for key in range(times):
        ptr, index = _kernels.grow_by_paths(rows.ptr, rows.index, present.shape[1], None, count, False, 1e9, key, 1)
        often[np.repeat(np.arange(len(present)), np.diff(ptr)), index] += 1
    return often


@pytest.mark.parametrize(("shape", "density"), SHAPES)
def test_first_draw_has_the_probabilities_of_the_scores(shape, density):
    present, times = present_at(shape, density), 20_000
    scores = scores_of(present)
    often = drawn_often(present, 1, times)
    assert not often[scores == 0].any()
    expected = scores[scores > 0] / scores.sum() * times
    assert stats.chisquare(often[scores > 0], expected).pvalue > 1e-3


@pytest.mark.parametrize(("shape", "density", "share"), [(*SHAPES[0], 0.5), (*SHAPES[1], 0.8), (*SHAPES[3], 0.95)])
def test_many_draws_are_without_replacement(shape, density, share):
    """As often among those drawn as by NumPy's draws in proportion to the scores, one after another."""
    present, times = present_at(shape, density), 3000
    scores = scores_of(present)
    count = int(share * (scores > 0).sum())
    often = drawn_often(present, count, times) / times
    assert often.sum() == pytest.approx(count)
    random, reference = np.random.default_rng(1), np.zeros(scores.size)
    for _ in range(times):
        reference[random.choice(scores.size, count, replace=False, p=scores.ravel() / scores.sum())] += 1 / times
    a, b = often.ravel(), reference
    deviation = np.sqrt((a * (1 - a) + b * (1 - b)) / times + 1e-9)
    assert (np.abs(a - b) / deviation).max() < 4.5


def test_large_layer_frequencies_follow_scores():
    """Drawn in rounds: the mean score of what is drawn is that of sampling by it, and no place repeats."""
    view = view_of((400, 300), 8.0)
    present = np.zeros((400, 300), bool)
    rows = view.layer.connectivity.by_input
    present[np.repeat(np.arange(400), np.diff(rows.ptr)), rows.index] = True
    scores = scores_of(present)
    view.keep_mask, view.count = np.ones(view.layer.n_connections, np.uint8), 1000
    means = []
    for key in range(20):
        view.key = key
        means.append(scores[places(view, LocalCommunity()(view)) == 1].mean())
    random, reference = np.random.default_rng(0), []
    for _ in range(20):
        drawn = random.choice(scores.size, 1000, replace=False, p=scores.ravel() / scores.sum())
        reference.append(scores.ravel()[drawn].mean())
    deviation = np.hypot(np.std(means), np.std(reference)) / np.sqrt(20)
    assert abs(np.mean(means) - np.mean(reference)) < 4 * deviation
    assert np.mean(reference) > scores[~present].mean() + 10 * deviation  # so the test tells it from uniform


@pytest.mark.parametrize(("shape", "density"), SHAPES)
def test_all_with_a_score_come_first_then_uniform_ones(shape, density):
    present = present_at(shape, density)
    scored = scores_of(present) > 0
    view = view_on(present, int(scored.sum()), keep_mask=np.ones(present.sum(), np.uint8))
    np.testing.assert_array_equal(places(view, LocalCommunity()(view)), scored)
    without = ~present & ~scored
    view.count += 2
    often = np.zeros(shape)
    for key in range(400):
        view.key = key
        often += places(view, LocalCommunity()(view))
    assert (often[scored] == 400).all()
    assert stats.chisquare(often[without]).pvalue > 1e-3
    view.count = int((~present).sum())
    np.testing.assert_array_equal(places(view, LocalCommunity()(view)), ~present)


@pytest.mark.parametrize("selection", ["sampled", "largest"])
def test_layers_without_paths_are_grown_uniformly(selection):
    for present in (np.eye(5, 7, dtype=bool), np.zeros((4, 3), bool)):
        view = view_on(present, 3, keep_mask=np.ones(present.sum(), np.uint8))
        assert places(view, LocalCommunity(selection)(view)).sum() == 3


@pytest.mark.parametrize(("shape", "density"), SHAPES)
def test_largest_are_those_of_the_score_matrix(shape, density):
    present = present_at(shape, density)
    scores = scores_of(present)
    view = view_on(present, int(0.4 * (scores > 0).sum()), keep_mask=np.ones(present.sum(), np.uint8))
    grown = places(view, LocalCommunity("largest")(view)) == 1
    assert scores[grown].min() >= scores[~grown & ~present].max() - 1e-9


def test_largest_of_equal_ones_takes_any():
    """A full block, and inputs that have one output of it each: all their empty places have the same score."""
    present = np.zeros((60, 30), bool)
    present[np.arange(60), np.repeat(np.arange(30), 2)] = True
    ranges = set()
    for key in range(5):
        view = view_on(present | np.roll(present, 1, axis=1), 30, key=key)
        view.keep_mask = np.ones(view.layer.n_connections, np.uint8)
        rows = np.flatnonzero(places(view, LocalCommunity("largest")(view)).any(axis=1))
        assert rows.min() < 20
        assert rows.max() > 40
        ranges.add(tuple(rows))
    assert len(ranges) == 5


@pytest.mark.parametrize("selection", ["sampled", "largest"])
def test_only_what_remains_counts_and_may_grow_again(selection):
    present = present_at((20, 25), 0.3)
    keep_mask = (np.random.default_rng(5).random(present.sum()) < 0.6).astype(np.uint8)
    remaining = present.copy()
    remaining[present] = keep_mask == 1
    scored = scores_of(remaining) > 0
    view = view_on(present, int(scored.sum()), keep_mask=keep_mask)
    grown = places(view, LocalCommunity(selection)(view)) == 1
    np.testing.assert_array_equal(grown, scored)
    assert (grown & present).any()


@pytest.mark.parametrize("selection", ["sampled", "largest"])
@pytest.mark.parametrize(("sizes", "epsilon"), [((2000, 3000), 4.0), ((300, 300), 60.0), ((2000, 20), 6.0)])
def test_same_coordinates_for_any_threads(sizes, epsilon, selection):
    results = []
    for threads in (1, 2, 3):
        view = pruned(view_of(sizes, epsilon, threads=threads))
        ptr, index = LocalCommunity(selection)(view)
        check_coordinates(view, (ptr, index))
        results.append((ptr.tobytes(), index.tobytes()))
    assert results[0] == results[1] == results[2]


def test_another_key_draws_others():
    view = pruned(view_of((200, 200), 5.0))
    first = LocalCommunity()(view)[1]
    view.key += 1
    assert not np.array_equal(first, LocalCommunity()(view)[1])


def test_degrees_that_differ_a_thousandfold():
    """Rows of very different length are compared by doubling steps."""
    present = np.zeros((40, 3000), bool)
    rng = np.random.default_rng(0)
    present[0], present[1, ::2] = True, True
    for i in range(2, 40):
        present[i, rng.integers(0, 3000, 3)] = True
    present[0, 7] = False
    scores, times = scores_of(present), 4000
    rows = view_on(present, 1).layer.connectivity.by_input
    drawn = np.zeros(40)
    for key in range(times):
        ptr, _ = _kernels.grow_by_paths(rows.ptr, rows.index, 3000, None, 1, False, 1e9, key, 1)
        drawn[np.searchsorted(ptr, 1) - 1] += 1
    expected = scores.sum(axis=1) / scores.sum() * times
    assert not drawn[expected == 0].any()
    assert expected[expected > 0].min() > 5
    assert stats.chisquare(drawn[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_too_many_paths_for_largest_are_refused(monkeypatch):
    view = pruned(view_of((200, 200), 5.0))
    monkeypatch.setattr(local_community, "MAX_PATHS", 100)
    with pytest.raises(ts.InputError, match="use selection='sampled'"):
        LocalCommunity("largest")(view)


def test_unknown_selection_is_refused():
    with pytest.raises(ts.InputError, match="selection must be"):
        LocalCommunity("best")


def test_trains_and_keeps_the_number_of_connections():
    method = ts.Evolution(
        ts.evolution.prune.magnitude,
        LocalCommunity(),
        ts.Schedule(0.3, every_epochs=1),
        fresh="zero",
        output_layer=True,
    )
    net = ts.SparseMLP((20, 60, 40, 3), epsilon=6, seed=0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((256, 20))
    before = [layer.connectivity.by_input.index for layer in net.layers]
    n_connections = net.n_connections
    ts.Trainer(net, evolution=method, batch_size=32).fit(X, (X[:, 0] > 0).astype(int), epochs=3)
    assert net.n_connections == n_connections
    assert not np.array_equal(before[1], net.layers[1].connectivity.by_input.index)
