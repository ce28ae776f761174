"""Points in a plane."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import floats, found, parsed
from trulysparse.report.scatter import MOST_POINTS, scatter

LABELS = {"title": "t", "x_label": "true", "y_label": "predicted"}


def test_points_lie_where_their_values_say():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(size=50)
    svg = scatter(x, y, **LABELS)
    at = np.array([floats(circle, "cx", "cy") for circle in found(svg, "circle")])
    for values, places in ((x, at[:, 0]), (y, at[:, 1])):
        slope, offset = np.polyfit(values, places, 1)
        assert np.abs(slope * values + offset - places).max() < 0.01
    slope_x, slope_y = (np.polyfit(v, p, 1)[0] for v, p in ((x, at[:, 0]), (y, at[:, 1])))
    assert slope_x > 0 > slope_y
    # The line of equal values ends at the corners: both axes hold the same values.
    line = next(each for each in found(svg, "line") if each.get("stroke-dasharray"))
    x1, y1, x2, y2 = floats(line, "x1", "y1", "x2", "y2")
    low = x.min() + (x1 - at[x.argmin(), 0]) / slope_x
    assert low == pytest.approx(y.min() + (y1 - at[y.argmin(), 1]) / slope_y, abs=0.01)
    assert (x1 < x2, y1 > y2) == (True, True)


@pytest.mark.parametrize("n", [MOST_POINTS + 1, 200_000])
def test_many_points_are_an_image(n):
    values = np.random.default_rng(0).normal(size=n)
    svg = scatter(values, values, **LABELS)
    assert not found(svg, "circle")
    assert len(found(svg, "image")) == 1
    assert len(svg) < 20_000


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], [1e308, -1e308]])
def test_odd_values(values):
    parsed(scatter(np.array(values), np.array(values), **LABELS))
