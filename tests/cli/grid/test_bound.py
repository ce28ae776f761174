"""trulysparse grid bound"""

from __future__ import annotations

import pytest

from command import last_json, refused, run
from trulysparse.grid.baselines.rules import NoControl, SelfConsumption
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run as play


def test_rules_and_the_bound_with_their_costs(short_sample):
    figures = last_json(run("grid", "bound", "--json"))
    assert (figures["homes"], figures["hours"], figures["tariff"]) == (3, 672, "tou")
    controls = {each["name"]: each for each in figures["controls"]}
    none = play(GridEnvironment(short_sample), NoControl())
    own = play(GridEnvironment(short_sample), SelfConsumption())
    bound, limit = controls["perfect foresight"], controls["limit (LP)"]
    assert (bound["oracle"], bound["kind"], figures["controls"][-2:]) == (True, "bound", [bound, limit])
    assert limit["cost"] < bound["cost"]
    assert controls["no control"]["cost"] == pytest.approx(none.cost())
    assert controls["self-consumption"]["cost"] == pytest.approx(own.cost())
    saving = (none.cost() - own.cost()) / (none.cost() - bound["cost"])
    assert controls["self-consumption"]["saving"] == pytest.approx(saving)
    assert all(each["cost"] >= bound["cost"] for each in controls.values() if each is not limit)
    assert controls["no control"]["saving"] == 0
    unseen = controls["self-consumption"]["parts"]["unseen homes, unseen weeks"]
    week = range(3 * 168, 4 * 168)
    assert unseen["ratio"] == pytest.approx(own.cost([2], week) / none.cost([2], week))


def test_without_foresight_and_in_the_other_mode():
    figures = last_json(run("grid", "bound", "--no-foresight", "--information", "setpoint", "--json"))
    names = [each["name"] for each in figures["controls"]]
    assert names == ["no control", "CityLearn's BasicRBC", "late self-consumption"]
    assert all(each["saving"] is None for each in figures["controls"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, bounds, rules",
    [
        (
            ["--market", "netting", "--broadcast", "community"],
            ["community, hour known", "perfect foresight", "pooled foresight", "pooled limit (LP)"],
            ["TOU fill, community"],
        ),
        (
            ["--tariff", "community"],
            ["community, hour known", "perfect foresight", "pooled foresight", "pooled limit (LP)"],
            [],
        ),
        (["--tariff", "peakfee"], ["limit (LP)"], []),
    ],
)
def test_bounds_of_communities_and_of_peak_fees(options, bounds, rules, monkeypatch):
    monkeypatch.setattr("trulysparse.cli.grid._controls.MOST_BOUNDED", 100)
    controls = last_json(run("grid", "bound", *options, "--json"))["controls"]
    names = [each["name"] for each in controls]
    assert names[-len(bounds) :] == bounds
    assert {*rules, "MPC, 24 h"} <= set(names)
    assert min(controls, key=lambda each: each["cost"])["name"] == bounds[-1]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--tariff", "free"], "--tariff must be one of"),
        (["--data", "nowhere"], "nowhere"),
        (["--feeder", "city"], "--feeder must be one of landnetz, dorf, vorstadt or a .json file, not 'city'"),
        (["--feeder", "landnetz"], "--feeder landnetz has 17 homes: --homes must be that number or a multiple, not 3"),
        (["--homes", "0"], "--homes must be at least 1"),
        (["--information", "none"], "--information must be one of follow, setpoint"),
        (["--market", "barter"], "--market must be one of"),
        (["--weeks", "some"], "--weeks must be one of"),
        (["--train-homes", "9"], "--train-homes must be"),
    ],
)
def test_refusals(options, message):
    assert message in refused("grid", "bound", *options)


@pytest.mark.slow
def test_batteries_that_are_not_one_have_a_limit_alone(monkeypatch, short_sample):
    from dataclasses import replace

    from trulysparse.grid import sample

    odd = replace(short_sample, battery_kwh=short_sample.battery_kwh * [1, 2, 3])
    monkeypatch.setattr(sample, "sample_data", lambda n_homes=3, seed=0: odd)
    controls = last_json(run("grid", "bound", "--market", "netting", "--json"))["controls"]
    names = [each["name"] for each in controls]
    assert "pooled foresight" not in names
    assert controls[-1]["name"] == "pooled limit (LP)"
    assert controls[-1]["saving"] == pytest.approx(1)
