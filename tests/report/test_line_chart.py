"""Lines over a common axis."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from pictures import floats, found, parsed, texts
from trulysparse.report.line_chart import Series, line_chart, thinned

NAMES = {"title": "t", "x_label": "epoch", "y_label": "loss"}


def lines_of(svg):
    """The pieces of each line, as arrays of points."""
    paths = [path.get("d") for path in found(svg, "path")]
    return [
        [np.array(re.findall(r"[-\d.]+", piece), float).reshape(-1, 2) for piece in d.split("M")[1:]] for d in paths
    ]


def grid(svg, across):
    """(value, position) of the ticks of an axis."""
    marks = [text for text in found(svg, "text") if text.get("text-anchor") == ("middle" if across else "end")]
    pairs = [
        (text.text, floats(text, "x" if across else "y")[0]) for text in marks if re.fullmatch(r"[-\d.]+", text.text)
    ]
    return np.array([(float(text), at if across else at - 4) for text, at in pairs])


def test_points_lie_where_the_axes_say():
    x, y = np.arange(1, 12), np.linspace(0.9, 0.1, 11) ** 2
    svg = line_chart([Series("a", x, y)], **NAMES)
    [[points]] = lines_of(svg)
    for across, values, positions in ((True, x, points[:, 0]), (False, y, points[:, 1])):
        slope, offset = np.polyfit(*grid(svg, across).T, 1)
        assert positions == pytest.approx(slope * values + offset, abs=0.15)


def test_gaps_where_values_are_not_finite():
    svg = line_chart([Series("a", range(6), [1, 2, math.nan, 3, math.inf, 4])], **NAMES)
    [pieces] = lines_of(svg)
    assert [len(piece) for piece in pieces] == [2, 1, 1]
    assert len(found(svg, "circle")) == 4


@pytest.mark.parametrize("y", [[], [math.nan], [0.5], [0.5, 0.5], [1e308, -1e308]])
def test_odd_values_are_drawn(y):
    svg = line_chart([Series("a", range(len(y)), y)], **NAMES)
    assert "nan" not in re.sub("<title>.*?</title>", "", svg)
    parsed(svg)


def test_long_lines_are_thinned():
    n = 100_000
    svg = line_chart([Series("a", range(n), np.sin(np.arange(n) / 999))], **NAMES)
    assert len(svg) < 20_000
    assert not found(svg, "circle")


def test_more_lines_than_colors_differ_in_pattern():
    svg = line_chart([Series(f"s{i}", [1, 2], [i, i + 1]) for i in range(13)], **NAMES)
    looks = {(path.get("stroke"), path.get("stroke-dasharray")) for path in found(svg, "path")}
    assert len(looks) == 13
    assert {f"s{i}" for i in range(13)} <= set(texts(svg))


def test_legend_stays_in_the_picture():
    svg = line_chart([Series("n" * 200, [1], [1])] * 5, **NAMES)
    width = float(parsed(svg).get("width"))
    assert all(float(line.get("x2")) < width for line in found(svg, "line"))


def test_names_are_escaped():
    svg = line_chart([Series("<b>", [1], [1])], title="<t>", x_label="<x>", y_label="<y>")
    assert {"<b>", "<x>", "<y>"} <= set(texts(svg))


def test_bands_lie_where_the_axes_say_and_within_the_picture():
    x, y = np.arange(1, 12), np.linspace(0.9, 0.1, 11)
    low, high = y - 0.3, y + 0.2
    svg = line_chart([Series("a", x, y, low=low, high=high)], **NAMES)
    [band] = found(svg, "polygon")
    points = np.array([pair.split(",") for pair in band.get("points").split()], float)
    slope, offset = np.polyfit(*grid(svg, False).T, 1)
    np.testing.assert_allclose(points[:11, 1], slope * high + offset, atol=0.15)
    np.testing.assert_allclose(points[11:, 1], slope * low[::-1] + offset, atol=0.15)
    np.testing.assert_allclose(points[11:, 0], points[:11, 0][::-1])
    assert points[:, 1].max() <= float(parsed(svg).get("height"))
    assert points[:, 1].min() >= 0


def test_bands_have_gaps_where_an_edge_is_not_finite():
    low, high = [0, 0, math.nan, 0, 0, 0, 0], [1, 1, 1, 1, 1, math.inf, 1]
    svg = line_chart([Series("a", range(7), [0.5] * 7, low=low, high=high)], **NAMES)
    assert [len(band.get("points").split()) for band in found(svg, "polygon")] == [4, 4]
    assert not found(line_chart([Series("a", [1], [1], low=[0], high=[2])], **NAMES), "polygon")


def test_last_tick_stays_within_the_picture():
    svg = line_chart([Series("a", [0, 3000], [0, 1])], **NAMES)
    last = next(text for text in found(svg, "text") if text.text == "3,000")
    assert float(last.get("x")) + 3.4 * len("3,000") <= float(parsed(svg).get("width"))


@pytest.mark.parametrize("n", [1, 2, 5, 399, 400, 401, 12345])
def test_thinned(n):
    chosen = thinned(n, 400)
    assert len(chosen) == min(n, 400)
    assert (chosen[0], chosen[-1]) == (0, n - 1)
    assert chosen == sorted(set(chosen))
