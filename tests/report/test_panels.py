"""Charts one under the other over the same hours."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from pictures import floats, found, parsed, texts
from trulysparse.report.line_chart import Series
from trulysparse.report.panels import Panel, panels

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def paths(svg):
    return [path.get("d") for path in found(svg, "path")]


def test_values_hold_for_their_hour_where_lines_are_steps():
    svg = panels([Panel("a", [Series("a", [0, 1, 2], [1, 3, 2])], steps=True)], 3, ["Monday"], title="t")
    [path] = paths(svg)
    starts = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), float)
    ends = np.array(re.findall(r"H([\d.]+)", path), float)
    width = (400 - 12 - 52) / 3
    assert starts[:, 0] == pytest.approx(52 + width * np.arange(3), abs=0.1)
    assert ends == pytest.approx(52 + width * np.arange(1, 4), abs=0.1)
    heights = starts[:, 1]
    assert (heights[0] - heights[1]) == pytest.approx(2 * (heights[0] - heights[2]), abs=0.2)


def test_gaps_where_values_are_not_finite():
    [path] = paths(panels([Panel("a", [Series("a", range(4), [1, math.nan, 2, 3])])], 4, ["Monday"], title="t"))
    assert re.sub(r"[\d. ]", "", path) == "MML"


def test_charts_do_not_overlap_and_stay_in_the_picture():
    charts = [
        Panel(f"chart {k}", [Series(f"line {j}", range(48), np.arange(48) - j) for j in range(k)]) for k in (1, 8)
    ]
    svg = panels(charts, 48, ["Monday", "Tuesday"], title="t")
    height = float(parsed(svg).get("height"))
    above, *below = [np.array(re.findall(r"[ML][\d.]+ ([\d.]+)", path), float) for path in paths(svg)]
    assert above.max() < min(each.min() for each in below)
    assert max(each.max() for each in below) < height
    assert {"chart 1", "chart 8", "line 7"} <= set(texts(svg))


@pytest.mark.parametrize(
    "hours, first_hour, days, shown",
    [
        (168, 0, DAYS, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
        (48, 0, DAYS[:2], ["Monday", "Tuesday"]),
        (168, 23, ["Sunday", *DAYS], ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),  # an hour of the first one
        (24, 12, DAYS[:2], ["Monday", "Tuesday"]),
        (24 * 60, 0, DAYS * 9, None),
    ],
)
def test_days_are_named_where_there_is_room(hours, first_hour, days, shown):
    svg = panels(
        [Panel("a", [Series("a", range(hours), [0.0] * hours)])], hours, days, first_hour=first_hour, title="t"
    )
    names = [text for text in texts(svg) if text in DAYS or text in [day[:3] for day in DAYS]]
    assert len(names) <= 10
    if shown is not None:
        assert names[: len(shown)] == shown
    positions = [floats(text, "x")[0] for text in found(svg, "text") if (text.text or "")[:3] in [d[:3] for d in DAYS]]
    assert all(0 <= at <= 400 for at in positions)


@pytest.mark.parametrize("values", [[], [np.nan], [1e308, -1e308], [0.0, 0.0]])
def test_odd_values(values):
    parsed(panels([Panel("<a>", [Series("<b>", range(len(values)), values)])], len(values), ["Monday"], title="<t>"))
