"""FScore: first layers drawn by the scores of features."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.connectivity import FScore


def test_inputs_are_drawn_in_proportion(rng):
    scores = rng.exponential(size=200)
    first, last = FScore(scores).draw_network((200, 5000, 3), (20_000, 600), seed=1)
    assert (first.n_connections, last.n_connections) == (20_000, 600)
    first.check()
    expected = 20_000 * scores / scores.sum()
    counts = np.diff(first.by_input.ptr)
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected.max())
    outputs = np.diff(first.by_output.ptr)  # 4 each, as of a Poisson distribution
    assert 3.5 < outputs.var() < 4.5


@pytest.mark.parametrize("threads", [1, 3])
def test_seed_alone_decides(threads):
    scores = np.arange(50.0)
    one = FScore(scores).draw_network((50, 80, 20, 3), (500, 90, 30), seed=7, threads=1)
    other = FScore(scores).draw_network((50, 80, 20, 3), (500, 90, 30), seed=7, threads=threads)
    another = FScore(scores).draw_network((50, 80, 20, 3), (500, 90, 30), seed=8, threads=threads)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.by_input.index, b.by_input.index)
    assert not np.array_equal(one[0].by_input.index, another[0].by_input.index)


def test_more_connections_than_scored_features_have_take_others_too():
    scores = np.zeros(10)
    scores[:2] = 1
    first = FScore(scores).draw_network((10, 6, 2), (30, 12), seed=0)[0]
    assert np.diff(first.by_input.ptr)[:2].tolist() == [6, 6]
    assert first.n_connections == 30


@pytest.mark.parametrize("count", [0, 1, 60])
def test_edges(count):
    first = FScore(np.ones(10)).draw_network((10, 6, 2), (count, 12), seed=0)[0]
    assert first.n_connections == count
    assert FScore(np.zeros(10)).draw_network((10, 6, 2), (20, 12), seed=0)[0].n_connections == 20


def test_wrong_scores_are_refused():
    for wrong in ([1.0, -1.0], [np.nan], [[1.0]]):
        with pytest.raises(ts.InputError, match="scores must be"):
            FScore(wrong)
    with pytest.raises(ts.InputError, match="scores are of 3 features, but the network has 4 inputs"):
        FScore(np.ones(3)).draw_network((4, 5, 2), (3, 3), seed=0)
