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


@pytest.mark.parametrize("n", [1, 2, 5, 399, 400, 401, 12345])
def test_thinned(n):
    chosen = thinned(n, 400)
    assert len(chosen) == min(n, 400)
    assert (chosen[0], chosen[-1]) == (0, n - 1)
    assert chosen == sorted(set(chosen))
