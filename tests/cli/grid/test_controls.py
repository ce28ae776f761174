"""The rules and bounds beside agents."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from trulysparse.cli.grid import _controls
from trulysparse.cli.grid._controls import BOUNDS, RULES, bound_of, kind_of, rules_of
from trulysparse.cli.grid._homes import make_homes
from trulysparse.cli.grid._settings import GridSettings


def names(monkeypatch, most=100, **settings):
    monkeypatch.setattr(_controls, "MOST_BOUNDED", most)
    return list(rules_of(make_homes(GridSettings(**settings))))


def test_rules_are_those_for_the_mode_and_the_market(monkeypatch):
    follow = names(monkeypatch)
    assert "self-consumption" in follow
    assert "mpc" in follow
    assert not {"late-self-consumption", "community-fill", "community-sum"} & set(follow)
    assert names(monkeypatch, information="setpoint") == ["no-control", "basic", "late-self-consumption", "mpc"]
    assert "community-fill" not in names(monkeypatch, market="netting")
    assert "community-fill" in names(monkeypatch, market="netting", broadcast="community")
    assert "mpc" not in names(monkeypatch, most=2)  # of 3 homes


def test_all_names_are_listed(monkeypatch):
    everything = {
        *names(monkeypatch, market="netting", broadcast="community"), *names(monkeypatch, information="setpoint")
    }  # fmt: skip
    assert everything == set(RULES)


@pytest.mark.parametrize("information, kind", [("foresight", "bound"), ("follow", "rule"), ("setpoint", "rule")])
def test_what_knows_the_future_is_a_bound(information, kind):
    assert kind_of(SimpleNamespace(information=information)) == kind


def test_labels_are_short_enough_for_pictures(monkeypatch):
    monkeypatch.setattr(_controls, "MOST_BOUNDED", 100)
    homes = make_homes(GridSettings(market="netting", broadcast="community"))
    labels = [_controls._SHORT.get(rule.label, rule.label) for rule in rules_of(homes).values()]
    assert max(map(len, labels)) <= 22
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", BOUNDS)
def test_hours_that_no_control_did_not_come_to_have_no_bound(name):
    homes = make_homes(GridSettings())
    assert bound_of(homes, SimpleNamespace(n_hours=homes.scenario.n_hours - 1), name) is None
