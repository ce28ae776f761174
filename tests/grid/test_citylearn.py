"""Runs in CityLearn's setting, against loops of our own and, where it can be installed, against CityLearn itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from citylearn_environment import run_citylearn
from citylearn_rules import RULES
from grid_files import real_folder, some_days
from trulysparse.errors import InputError
from trulysparse.grid.battery import Batteries
from trulysparse.grid.citylearn import simulate_citylearn
from trulysparse.grid.citylearn_files import write_citylearn
from trulysparse.grid.indicators import citylearn_indicators

CLOSE = 1e-6  # relative, of every indicator


def compare(folder, rule, hours, tmp_path):
    found = simulate_citylearn(folder, RULES[rule], hours)
    expected = run_citylearn(folder, rule, hours, tmp_path / f"{rule}_{hours}.json")
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=CLOSE), f"{name} of {rule}, {hours} hours"


@pytest.mark.slow
@pytest.mark.parametrize("rule, hours", [("no_control", 1000), ("follow_net", 1500), ("fill_and_release", 8759)])
def test_real_homes_are_as_in_citylearn(rule, hours, tmp_path):
    compare(real_folder(), rule, hours, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rule, hours", [("random", 733), ("alternating", 25), ("by_charge", 500), ("follow_net", 1)])
def test_homes_of_other_sizes_are_as_in_citylearn(rule, hours, tmp_path):
    data = some_days(4, 24 * 150 + 23, 740)
    pv = data.pv.copy()
    pv[:, 3] = 0
    data = replace(
        data,
        pv=pv,
        pv_kw=data.pv_kw * [1, 1, 1, 0],
        battery_kwh=np.array([6.4, 13.5, 0.0, 4.0]),
        battery_kw=np.array([5.0, 3.3, 0.0, 7.0]),
    )
    write_citylearn(data, tmp_path / "set")
    compare(tmp_path / "set", rule, hours, tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid") / "set"
    write_citylearn(some_days(3, 24 * 100, 100), folder)
    return folder


def test_a_rule_is_asked_in_every_hour_with_what_it_may_know(folder):
    data = some_days(3, 24 * 100, 100)
    batteries, net, seen = Batteries(data.battery_kwh, data.battery_kw), [], []

    def rule(t, load, pv, charge):
        seen.append(t)
        np.testing.assert_array_equal(load, data.load[t])
        np.testing.assert_allclose(pv, data.pv[t], rtol=1e-6)
        np.testing.assert_allclose(charge, batteries.charge, atol=1e-6)
        actions = np.array([2.0, -0.3, 0.6]) * (-1) ** t
        net.append(data.load[t] - data.pv[t] + batteries.step(np.clip(actions, -1, 1) * 5.0))
        load[:], pv[:], charge[:] = 9, 9, 9  # a rule may do what it likes with its arrays
        return actions

    found = simulate_citylearn(folder, rule)
    assert seen == list(range(99))
    expected = citylearn_indicators(np.array(net), (data.load - data.pv)[:99], data.price[:99], data.carbon[:99])
    assert found == pytest.approx(expected, rel=1e-5)


def test_no_control_is_one_everywhere(folder):
    found = simulate_citylearn(folder, RULES["no_control"], hours=50)
    assert list(found.values()) == [1.0] * 9


@pytest.mark.parametrize("hours", [0, 100, -1, 2.5, "all"])
def test_hours_must_be_there(folder, hours):
    with pytest.raises(InputError, match="hours must be"):
        simulate_citylearn(folder, RULES["no_control"], hours=hours)


@pytest.mark.parametrize(
    "given, message",
    [
        (0.5, r"one action per home, shape \(3,\); in hour 0 it gave \(\)"),
        (np.zeros((3, 1)), r"in hour 0 it gave \(3, 1\)"),
        ([0.0, np.nan, 0.0], "finite actions; in hour 0 it gave nan for home 1"),
        (None, "in hour 0"),
        (["a", "b", "c"], "must give 3 numbers; in hour 0"),
    ],
)
def test_rules_must_give_a_number_per_home(folder, given, message):
    with pytest.raises(InputError, match=message):
        simulate_citylearn(folder, lambda t, load, pv, charge: given, hours=3)
