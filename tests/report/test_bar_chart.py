"""Bars of named values and of histograms."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import floats, found, parsed, texts
from trulysparse.report.bar_chart import bar_chart, binned, histogram


def test_bars_are_as_long_as_their_values():
    values = [3.0, 1.5, 0.75]
    lengths = [floats(rect, "width")[0] for rect in found(bar_chart(["a", "b", "c"], values, title="t"), "rect")]
    assert lengths == pytest.approx([lengths[0] * value / 3 for value in values], abs=0.02)


def test_bars_may_have_colours_of_their_own():
    svg = bar_chart(["a", "b"], [1.0, 2.0], title="t", colors=["red", "var(--s2,#c44e00)"])
    assert [rect.get("fill") for rect in found(svg, "rect")] == ["red", "var(--s2,#c44e00)"]


@pytest.mark.parametrize("values", [[], [0.0], [np.nan, 1.0], [np.inf], [1e308, 1e-308]])
def test_bars_of_odd_values(values):
    svg = bar_chart(["<script>"] * len(values), values, title="<t>")
    width = float(parsed(svg).get("width"))
    assert all(0 <= sum(floats(rect, "x", "width")) <= width for rect in found(svg, "rect"))
    assert len(found(svg, "rect")) == len(values)


def test_bars_long_names_and_values_stay_in_the_picture():
    svg = bar_chart(["name" * 100], [0.000123456], title="t", shown=lambda value: f"{value:.4g} ms")
    parsed(svg)
    [rect] = found(svg, "rect")
    assert sum(floats(rect, "x", "width")) + 7 * len("0.0001235 ms") <= 400
    assert max(map(len, texts(svg))) <= 22


@pytest.mark.parametrize(
    "values",
    [np.arange(100.0), [3.0], [1e9, 1e9 + 1], np.random.default_rng(0).normal(size=999), [-1e308, 1e308], [0.0]],
)
def test_binned_counts_all(values):
    counts, edges = binned(values)
    assert counts.sum() == len(values)
    assert len(edges) == len(counts) + 1
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize("values", [[5], [0, 0, 3], range(1000), [0, 10**9]])
def test_binned_whole_numbers_lie_inside_bins(values):
    values = np.array(values)
    counts, edges = binned(values, whole=True)
    assert counts.sum() == len(values)
    assert len(counts) <= 40
    assert (edges % 1 == 0.5).all()
    width = edges[1] - edges[0]
    assert counts.tolist() == np.bincount(((values - edges[0]) // width).astype(int), minlength=len(counts)).tolist()


def test_histogram_heights_are_the_counts():
    counts, edges = np.array([4, 0, 2, 1]), np.arange(5.0)
    bars = [
        floats(rect, "x", "width", "height")
        for rect in found(histogram(counts, edges, title="t", x_label="x", y_label="y"), "rect")
    ]
    assert len(bars) == 3
    assert [height / bars[0][2] for _, _, height in bars] == pytest.approx([1, 0.5, 0.25], abs=0.01)
    assert bars[1][0] - bars[0][0] == pytest.approx(2 * (bars[2][0] - bars[1][0]), abs=0.03)


def test_histogram_of_large_counts_is_logarithmic_and_shows_single_values():
    svg = histogram(np.array([10_000, 100, 1]), np.arange(4.0), title="t", x_label="x", y_label="neurons")
    heights = [floats(rect, "height")[0] for rect in found(svg, "rect")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.05)
    assert heights[2] > 1
    assert "neurons, logarithmic" in texts(svg)
