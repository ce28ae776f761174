"""A feeder from above."""

from __future__ import annotations

import numpy as np
import pytest

from grid_outcomes import street
from pictures import floats, found, parsed
from trulysparse.errors import InputError
from trulysparse.report.feeder_map import FeederMap, feeder_map
from trulysparse.report.svg import ALARM


def buses(svg):
    """Circles of buses, which say what they are when pointed at."""
    return [circle for circle in found(svg, "circle") if len(circle)]


def test_buses_lie_as_they_do_and_colours_grow_with_the_distance_from_nominal():
    feeder = street(5, worst=0.96)
    svg = feeder_map(feeder, title="t")
    circles = buses(svg)
    assert len(circles) == 9  # neither the transformer nor the joint
    assert len(found(svg, "line")) == 10
    x = np.array([floats(each, "cx")[0] for each in circles])
    y = np.array([floats(each, "cy")[0] for each in circles])
    of = [int(each[0].text.split(":")[0].split()[-1]) for each in circles]
    scale = np.polyfit(feeder.x[of], x, 1)[0]
    assert scale > 0
    assert np.polyfit(feeder.y[of], y, 1)[0] == pytest.approx(-scale, rel=1e-3)  # up is up, and no distortion
    strength = np.array([float(each.get("fill-opacity")) for each in circles])
    assert strength == pytest.approx(0.1 + 0.9 * np.abs(feeder.worst[of] - 1) / 0.05, abs=0.01)
    assert all("96" not in (each.get("stroke") or "") for each in circles)
    assert all(each.get("stroke") != ALARM for each in circles)


def test_buses_that_pass_a_limit_have_a_red_ring():
    feeder = street(5, worst=0.94)
    ringed = [each[0].text for each in buses(feeder_map(feeder, title="t")) if each.get("stroke") == ALARM]
    assert ringed == ["bus 5: 0.9400 to 1.0240 p.u."]
    assert feeder.n_outside == 1


def test_the_worst_voltage_is_the_one_farthest_from_nominal():
    values = {"low": np.array([0.99, 0.97, 1.0]), "high": np.array([1.02, 1.01, 1.0])}
    feeder = FeederMap(x=np.zeros(3), y=np.zeros(3), lines=np.zeros((0, 2), np.int64), **values)
    assert feeder.worst.tolist() == [1.02, 0.97, 1.0]


@pytest.mark.parametrize("turned", [False, True])
def test_everything_stays_in_the_picture(turned):
    feeder = street(70)
    if turned:
        feeder = FeederMap(x=feeder.y, y=feeder.x, lines=feeder.lines, low=feeder.low, high=feeder.high)
    svg = feeder_map(feeder, title="t")
    width, height = float(parsed(svg).get("width")), float(parsed(svg).get("height"))
    for circle in buses(svg):
        x, y, r = floats(circle, "cx", "cy", "r")
        assert r <= x <= width - r
        assert 42 + r <= y <= height - r
    assert height < 300  # a street is drawn lying


def test_a_single_bus():
    one = np.ones(1)
    parsed(feeder_map(FeederMap(x=one, y=one, lines=np.zeros((0, 2), np.int64), low=one, high=one), title="<t>"))


@pytest.mark.parametrize("change", [{"low": np.ones(2)}, {"x": np.zeros(0)}, {"lines": np.array([[0, 11]])}])
def test_arrays_that_do_not_fit(change):
    feeder = street(5)
    known = {name: getattr(feeder, name) for name in ("x", "y", "lines", "low", "high")}
    with pytest.raises(InputError, match="buses"):
        FeederMap(**{**known, **change})
