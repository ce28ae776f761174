"""A feeder drawn by length of cable."""

from __future__ import annotations

import re

import numpy as np
import pytest

from grid_outcomes import street
from pictures import floats, found, parsed
from trulysparse.errors import InputError
from trulysparse.report.feeder_map import FeederMap, feeder_map
from trulysparse.report.svg import ALARM
from trulysparse.report.tree_layout import tree_layout


def buses(svg):
    """Circles of buses, which say what they are when pointed at, by their numbers."""
    circles = [circle for circle in found(svg, "circle") if len(circle)]
    return {int(re.search(r"bus (\d+):", circle[0].text)[1]): circle for circle in circles}


def test_buses_lie_as_the_cables_are_long_and_colours_grow_with_the_distance_from_nominal():
    feeder = street(5, worst=0.96)
    svg = feeder_map(feeder, title="t")
    drawn = buses(svg)
    assert sorted(drawn) == [2, 3, 4, 5, 6, 7, 8, 9, 10]  # neither the transformer nor the joint
    of = list(drawn)
    metres, rows = tree_layout(feeder.parent, feeder.length)
    x, y = (np.array([floats(circle, name)[0] for circle in drawn.values()]) for name in ("cx", "cy"))
    assert x == pytest.approx(20 + (388 - 20) * metres[of] / metres.max(), abs=0.02)
    assert y - y[0] == pytest.approx(40 * (rows[of] - rows[of[0]]), abs=0.02)
    strength = np.array([float(circle.get("fill-opacity")) for circle in drawn.values()])
    assert strength == pytest.approx(0.1 + 0.9 * np.abs(feeder.worst[of] - 1) / 0.05, abs=0.01)
    assert len({drawn[bus].get("fill") for bus in (2, 3, 4, 5, 7, 8, 9, 10)}) == 1
    assert drawn[6].get("fill") != drawn[5].get("fill")  # at 1 p.u., or below it
    assert all(circle.get("stroke") != ALARM for circle in drawn.values())


def test_cables_go_from_each_bus_to_the_one_before_it():
    feeder = street(5)
    svg = feeder_map(feeder, title="t")
    at = {bus: tuple(floats(circle, "cx", "cy")) for bus, circle in buses(svg).items()}
    lines = {tuple(floats(line, "x1", "y1", "x2", "y2")) for line in found(svg, "line")}
    assert all((*at[feeder.parent[bus]], *at[bus]) in lines for bus in at if feeder.parent[bus] in at)


def test_buses_that_pass_a_limit_have_a_red_ring():
    feeder = street(5, worst=0.94)
    ringed = [each[0].text for each in buses(feeder_map(feeder, title="t")).values() if each.get("stroke") == ALARM]
    assert ringed == ["bus 5: 0.9400 to 1.0240 p.u."]
    assert feeder.n_outside == 1


def test_the_worst_voltage_is_the_one_farthest_from_nominal():
    values = {"low": np.array([0.99, 0.97, 1.0]), "high": np.array([1.02, 1.01, 1.0])}
    feeder = FeederMap(parent=np.array([-1, 0, 0]), length=np.array([0.0, 1, 1]), **values)
    assert feeder.worst.tolist() == [1.02, 0.97, 1.0]


@pytest.mark.parametrize("n_streets", [1, 2, 60])
def test_everything_stays_in_the_picture(n_streets):
    n = 3 * n_streets
    parent = np.array([-1] + [0 if bus % 3 == 1 else bus - 1 for bus in range(1, n + 1)])
    ones = np.ones(n + 1)
    svg = feeder_map(FeederMap(parent=parent, length=ones - (parent < 0), low=ones, high=ones), title="t")
    width, height = float(parsed(svg).get("width")), float(parsed(svg).get("height"))
    circles = buses(svg).values()
    assert len(circles) == n
    for circle in circles:
        x, y, r = floats(circle, "cx", "cy", "r")
        assert r <= x <= width - r
        assert 42 + r <= y <= height - 38
    assert height < 900


def test_a_single_bus():
    one = np.ones(1)
    parsed(feeder_map(FeederMap(parent=-np.ones(1, np.int64), length=0 * one, low=one, high=one), title="<t>"))


@pytest.mark.parametrize("change", [{"low": np.ones(2)}, {"parent": np.zeros(0, np.int64)}, {"parent": np.arange(11)}])
def test_arrays_that_do_not_fit(change):
    feeder = street(5)
    known = {name: getattr(feeder, name) for name in ("parent", "length", "low", "high")}
    with pytest.raises(InputError, match="bus"):
        FeederMap(**{**known, **change})
