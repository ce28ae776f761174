"""Histograms of several sets on the same axes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pictures import floats, found, parsed, texts
from trulysparse.report.distribution import Limit, distribution, outside

NAMES = {"title": "t", "x_label": "voltage, p.u.", "y_label": "hours"}


def heights(path):
    """(position, height above the axis) of the tops of the bins."""
    d = path.get("d")
    base = float(re.match(r"M[\d.]+ ([\d.]+)", d)[1])
    tops = np.array(re.findall(r"V([\d.]+)H([\d.]+)", d), float)
    return tops[:, 1], base - tops[:, 0]


def test_areas_count_the_values_on_a_common_logarithmic_axis():
    many, few = np.full(1000, 0.97), np.full(10, 0.97)
    svg = distribution({"many": many, "few": few, "ends": [0.9, 1.0]}, **NAMES)
    first, second, third = (heights(path)[1] for path in found(svg, "path"))
    assert (first > 0).sum() == (second > 0).sum() == 1
    assert np.argmax(first) == np.argmax(second)
    assert (third > 0).sum() == 2
    # Equal ratios are equally far apart: 1000 to 10 is twice 10 to 1.
    assert first.max() - second.max() == pytest.approx(2 * (second.max() - third.max()), abs=0.3)
    assert third.max() > 5  # single values show


def test_positions_are_those_of_the_axis():
    values = np.random.default_rng(0).normal(0.98, 0.01, 2000)
    svg = distribution({"a": values}, **NAMES)
    right, height = heights(found(svg, "path")[0])
    counts = np.histogram(values, np.linspace(*_ends(values), 49))[0]
    assert ((height > 0) == (counts > 0)).all()
    assert right[-1] == pytest.approx(388, abs=0.1)
    assert np.diff(right) == pytest.approx(np.full(47, (388 - 52) / 48), abs=0.15)


def _ends(values):
    room = 0.03 * np.ptp(values)
    return values.min() - room, values.max() + room


def test_limits_are_drawn_where_they_lie_with_their_names():
    svg = distribution({"a": [0.0, 100.0]}, **NAMES, limits=[Limit(0.0, "least"), Limit(100.0, "rating")])
    at = [floats(line, "x1", "x2") for line in found(svg, "line") if line.get("stroke-dasharray")]
    assert [a for a, _ in at] == [b for _, b in at]
    assert at[0][0] == pytest.approx(52 + 336 * 3 / 106, abs=0.1)
    assert at[1][0] == pytest.approx(52 + 336 * 103 / 106, abs=0.1)
    assert {"least 0", "rating 100"} <= set(texts(svg))


@pytest.mark.parametrize("sets", [{}, {"a": []}, {"a": [np.nan]}, {"a": [1.0]}, {"<a>": [1.0, np.inf], "b": [1.0]}])
def test_odd_values(sets):
    svg = distribution(sets, **NAMES)
    parsed(svg)
    assert len(found(svg, "path")) <= len(sets)


def test_outside_counts_what_passes_a_limit_and_not_what_reaches_it():
    assert outside([0.95, 0.9499, np.nan, 1.05, 1.2], 0.95, 1.05) == 2
    assert outside([], 0, 1) == 0
    assert outside([-np.inf, 5.0], low=0.0) == 1
