"""From outcomes to what reports show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trulysparse.cli.grid import _shares
from trulysparse.cli.grid._shares import Scale
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.outcome import Outcome
from trulysparse.grid.splits import split_of

HOURS, HOMES = 8 * 168, 4


def outcome(factor=1.0, label="none", *, rng=None, **more):
    """Homes that import the same each time, but for a factor."""
    base = np.random.default_rng(0).random((HOURS, HOMES)).astype(np.float32)
    hour = (np.arange(HOURS) + 23) % 24
    known = {
        "price": np.where(hour >= 16, 0.5, 0.2),
        "export_price": np.zeros(HOURS),
        "carbon": np.full(HOURS, 0.1),
        "hour": hour,
        "month": np.full(HOURS, 8),
        "load": base,
        "pv": np.zeros_like(base),
        "charge": np.full_like(base, 0.5),
        "names": ("a", "b", "c", "d"),
    }
    return Outcome(label, "follow", "tou", factor * base, **{**known, **more})


SPLIT = split_of("abcd", HOURS, n_train=3)


def test_shares_are_those_of_sums_of_homes_and_hours():
    none, bound, own = outcome(), outcome(0.5), outcome(0.6)
    half = own.net.copy()
    half[:, :3] = none.net[:, :3]  # saves in the unseen home alone
    control = Scale(none, {"perfect-foresight": bound}, SPLIT).control("half", "rule", [replace(own, net=half)])
    paid = (none.net * none.price[:, None]).sum(0, dtype=np.float64)
    assert control.cost == pytest.approx(paid[:3].sum() + 0.6 * paid[3], rel=1e-5)
    assert control.whole.ratio == pytest.approx(control.cost / paid.sum(), rel=1e-5)
    assert control.whole.saving == pytest.approx(0.8 * paid[3] / paid.sum(), rel=1e-4)
    for weeks in ("seen", "unseen"):
        assert control.parts["seen", weeks].saving == pytest.approx(0, abs=1e-6)
        assert control.parts["unseen", weeks].saving == pytest.approx(0.8, rel=1e-4)
        assert control.parts["unseen", weeks].ratio == pytest.approx(0.6, rel=1e-4)


def test_weeks_are_counted_apart():
    none, bound = outcome(), outcome(0.5)
    net = none.net.copy()
    net[SPLIT.test_hours] *= 0.75
    parts = Scale(none, {"perfect-foresight": bound}, SPLIT).parts(replace(none, net=net))
    assert parts["seen", "unseen"].saving == pytest.approx(0.5, rel=1e-4)
    assert parts["seen", "seen"].saving == pytest.approx(0, abs=1e-6)


def test_several_seeds_are_averaged_with_their_spread():
    scale = Scale(outcome(), {"perfect-foresight": outcome(0.5)}, SPLIT)
    control = scale.control("es", "agents", [outcome(0.6), outcome(0.7)])
    assert control.whole.saving == pytest.approx(0.7, rel=1e-4)
    assert (control.lowest, control.highest) == pytest.approx((0.6, 0.8), rel=1e-4)
    assert scale.control("es", "agents", [outcome(0.6)]).lowest is None


def test_without_a_bound_or_with_a_run_that_ended_early_shares_are_not_known():
    alone = Scale(outcome(), {}, SPLIT).control("a", "rule", [outcome(0.6)])
    assert alone.whole.ratio == pytest.approx(0.6)
    assert np.isnan(alone.whole.saving)
    short = outcome(0.6)
    cut = {name: getattr(short, name)[:100] for name in ("price", "export_price", "carbon", "hour", "month")}
    cut |= {name: getattr(short, name)[:100] for name in ("net", "load", "pv", "charge")}
    ended = Scale(outcome(), {"perfect-foresight": outcome(0.5)}, SPLIT).control("a", "rule", [replace(short, **cut)])
    assert np.isnan(ended.whole.ratio)
    assert np.isnan(ended.parts["seen", "seen"].saving)


def test_a_community_counts_its_sum():
    net = np.tile(np.float32([1.0, -1.0, 0.5, 0.0]), (HOURS, 1))
    none = outcome(market="netting")
    pooled = replace(
        outcome(0.5, market="netting"),
        net=none.net.sum(1, keepdims=True) / 2,
        load=None,
        pv=None,
        charge=None,
        names=(),
    )
    control = Scale(none, {"perfect-foresight": outcome(0.7), "pooled-foresight": pooled}, SPLIT).control(
        "a", "rule", [replace(none, net=net)]
    )
    assert control.cost == pytest.approx(0.5 * none.price.sum())
    assert np.isfinite(control.whole.saving)
    assert np.isnan(control.parts["seen", "seen"].saving)  # the bound has no homes
    assert np.isfinite(control.parts["seen", "seen"].ratio)


def test_a_week_of_a_home():
    own = outcome(0.6)
    weekday = (6 + (np.arange(HOURS) + 23) // 24) % 7  # from Sunday 23:00
    capacity = np.array([6.4, 6.4, 0.0, 10.0])
    week = _shares.home_week(own, "es", 3, 336, capacity, weekday)
    assert (week.home, week.control, week.first_hour) == ("d", "es", 23)
    assert week.days[:2] == ["Sunday", "Monday"]
    assert len(week.days) == 8
    assert (week.charge == 5).all()
    np.testing.assert_array_equal(week.net, own.net[336:504, 3])
    np.testing.assert_array_equal(week.price, own.price[336:504])
    assert len(_shares.home_week(own, "es", 0, HOURS - 24, capacity, weekday).net) == 24


def test_the_home_that_is_drawn_is_unseen_and_has_a_battery_and_panels():
    none = outcome(pv=np.float32(np.tile([0, 0, 1, 1], (HOURS, 1))))
    split = split_of("abcd", HOURS, n_train=1)
    assert _shares.chosen_home(split, none, np.array([6.4, 6.4, 6.4, 0.0])) == 2
    assert _shares.chosen_home(split_of("abcd", HOURS, n_train=4), none, np.full(4, 6.4)) in (2, 3)
    assert _shares.chosen_home(split, none, np.zeros(4)) in (1, 2, 3)
    assert _shares.chosen_week(SPLIT, HOURS) == 3 * 168
    assert _shares.chosen_week(SPLIT, 100) == 0


def test_the_grid_is_that_of_the_fullest_transformer():
    assert _shares.grid_hours(outcome(), "a") is None
    transformer = np.tile(np.float32([0.2, 0.9]), (HOURS, 1))
    voltage = np.stack([np.full(HOURS, 0.96), np.full(HOURS, 1.01)]).astype(np.float32)
    found = _shares.grid_hours(outcome(transformer=transformer, voltage=voltage), "a")
    assert found.transformer.shape == (HOURS,)
    assert found.transformer[0] == np.float32(0.9)
    assert (found.lowest[0], found.highest[0]) == (np.float32(0.96), np.float32(1.01))
    assert len(found.line) == 0


def test_of_several_feeders_the_one_with_the_worst_voltage_is_drawn():
    feeder = Feeder.named("landnetz")
    n = feeder.n_homes
    voltage = np.ones((2, 2 * n), np.float32)
    voltage[0, n + 4] = 0.93
    net = np.zeros((2, 2 * n), np.float32)
    hours = {"price": np.ones(2), "export_price": np.zeros(2), "carbon": np.ones(2), "hour": np.zeros(2, np.int8)}
    own = Outcome("a", "follow", "tou", net, **hours, month=np.ones(2, np.int8), home_voltage=voltage)
    found = _shares.feeder_voltages(own, feeder)
    bus = feeder.home_bus[4]
    assert found.low[bus] == pytest.approx(0.93)
    assert found.names[bus].endswith(f"home {n + 5}")
    assert np.isfinite(found.low).sum() == len(set(feeder.home_bus.tolist()))
    assert found.length[1:].tolist() == [line.length_m for line in feeder.lines]
    assert _shares.feeder_voltages(outcome(), feeder) is None
