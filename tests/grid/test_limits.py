"""Limits: penalties against the rule written home by home, curtailment against a fine search."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.feeder import Feeder
from trulysparse.grid.limits import curtail, penalties
from trulysparse.grid.power_flow.flow import Feeders


def naive(feeders: Feeders, net: np.ndarray) -> np.ndarray:
    """5 cents per .01 beyond .95 and 1.05, 50 $ per overload of transformer and lines, split among who cause it."""
    flow = feeders.flow(net)
    feeder = feeders.feeder
    paid = np.zeros(feeders.n_homes)
    for home in range(feeders.n_homes):
        paid[home] += 0.05 * max(0.0, abs(float(flow.voltage[home]) - 1) - 0.05) / 0.01
    for copy in range(feeders.n_copies):
        first = copy * feeder.n_homes
        parts = [(flow.transformer_loading[copy], range(feeder.n_homes))]
        for line, row in enumerate(feeder.behind):
            parts.append((flow.line_loadings[copy, line], np.flatnonzero(row)))
        for loading, homes in parts:
            if loading > 1:
                sign = 1 if sum(net[first + h] for h in homes) >= 0 else -1
                causing = {h: sign * net[first + h] for h in homes if sign * net[first + h] > 0}
                for h, part in causing.items():
                    paid[first + h] += 50 * (loading - 1) * part / sum(causing.values())
    return paid


@pytest.mark.parametrize("level", [-8.0, -5.0, 0.5, 4.8, 9.0])
def test_penalties_are_those_of_the_rule(level: float) -> None:
    feeders = Feeders(Feeder.named("vorstadt"), 2)
    net = level + np.random.default_rng(0).normal(0, 2, 292)
    net[:20] *= 1.5
    flow = feeders.flow(net)
    paid = penalties(flow, net)
    np.testing.assert_allclose(paid, naive(feeders, net), rtol=1e-5, atol=1e-6)
    if level == 0.5:
        assert paid.max() == 0
    else:
        assert flow.transformer_loading.max() > 1
    if abs(level) > 6:
        assert flow.line_loading.max() > 1


def test_penalties_of_several_hours_are_those_of_each() -> None:
    feeders = Feeders(Feeder.named("dorf"), 2)
    net = np.random.default_rng(1).normal([[1.0], [9.0], [-9.0]], 2, (3, 114))
    np.testing.assert_allclose(
        penalties(feeders.flow(net), net),
        [penalties(feeders.flow(hour), hour) for hour in net],
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_feeder_without_solution_has_no_penalty_in_numbers() -> None:
    feeders = Feeders(Feeder.named("landnetz"), 2)
    net = np.full(34, 80.0)
    net[17:] = 1.0
    paid = penalties(feeders.flow(net), net)
    assert np.isnan(paid[:17]).all()
    assert (paid[17:] == 0).all()


def within(flow: object) -> bool:
    voltage = flow.voltage
    return bool(
        flow.converged.all()
        and flow.transformer_loading.max() <= 1
        and flow.line_loading.max() <= 1
        and voltage.min() >= 0.95
        and voltage.max() <= 1.05
    )


def largest_share(feeders: Feeders, net_of: object) -> float:
    """Of 1001 shares, the largest at which all is within the limits."""
    low, high = 0, 1000
    while high - low > 1:
        mid = (low + high) // 2
        low, high = (mid, high) if within(feeders.flow(net_of(mid / 1000))) else (low, mid)
    return low / 1000


def test_charging_is_turned_down_as_far_as_needed() -> None:
    feeders = Feeders(Feeder.named("vorstadt"))
    rng = np.random.default_rng(2)
    need, pv = rng.uniform(0.5, 1.5, 146), np.zeros(146)
    balance = rng.uniform(-1, 7, 146)
    done = curtail(feeders, need, balance, pv)
    charging = balance > 0
    share = done.balance[charging] / balance[charging]
    assert share.min() == pytest.approx(share.max())
    np.testing.assert_array_equal(done.balance[~charging], balance[~charging])
    assert within(done.flow)
    best = largest_share(feeders, lambda s: need + np.where(charging, s * balance, balance))
    assert best - 0.03 <= share[0] <= best + 0.001
    assert done.flows <= 8
    np.testing.assert_allclose(done.flow.voltage, feeders.flow(need + done.balance).voltage, atol=5e-7)


def test_discharging_then_pv_is_turned_down_as_far_as_needed() -> None:
    feeders = Feeders(Feeder.named("vorstadt"))
    rng = np.random.default_rng(3)
    pv = rng.uniform(4, 7, 146)
    need = rng.uniform(0, 0.5, 146) - pv
    within_without = curtail(feeders, need + 3, np.full(146, -3.0), pv)  # discharging alone is too much
    assert within(within_without.flow)
    assert (within_without.pv == pv).all()
    assert 0 < within_without.balance[0] / -3.0 < 1
    balance = np.where(np.arange(146) % 2 == 0, -2.0, 0.0)
    balance[1] = 1.0  # charging helps: it stays
    done = curtail(feeders, need, balance, pv)
    assert (done.balance == np.where(balance > 0, balance, 0)).all()
    share = done.pv / pv
    assert share.min() == pytest.approx(share.max())
    assert within(done.flow)
    best = largest_share(feeders, lambda s: need + np.maximum(balance, 0) + (1 - s) * pv)
    assert best - 0.03 <= share[0] <= best + 0.001
    assert done.flows <= 14


def test_feeders_are_curtailed_apart_and_those_within_limits_not_at_all() -> None:
    feeders = Feeders(Feeder.named("dorf"), 3)
    need, pv = np.full(171, 1.0), np.zeros(171)
    balance = np.concatenate([np.full(57, 0.5), np.full(57, 9.0), np.full(57, 12.0)])
    done = curtail(feeders, need, balance, pv)
    np.testing.assert_array_equal(done.balance[:57], balance[:57])
    assert within(done.flow)
    assert done.balance[57] == pytest.approx(done.balance[170], rel=0.02)
    calm = curtail(feeders, need, np.full(171, 0.5), pv, start=done.flow)
    assert calm.flows == 1
    np.testing.assert_array_equal(calm.balance, 0.5)


def test_load_is_not_shed() -> None:
    feeders = Feeders(Feeder.named("vorstadt"))
    done = curtail(feeders, np.full(146, 5.0), np.full(146, 2.0), np.zeros(146))
    assert (done.balance == 0).all()
    assert not within(done.flow)


def test_where_there_is_no_solution_batteries_are_turned_down_until_there_is() -> None:
    feeders = Feeders(Feeder.named("landnetz"))
    done = curtail(feeders, np.full(17, 1.0), np.full(17, 80.0), np.zeros(17))
    assert within(done.flow)
    assert (done.balance > 0).all()


def test_the_operator_may_keep_a_margin() -> None:
    feeder = Feeder.named("vorstadt")
    strict = Feeders(feeder.limited(loading=0.8, band=0.03))
    net = np.full(146, 3.6)
    flow = strict.flow(net)
    assert 0.8 < flow.transformer_loading[0] < 1
    assert 0.95 < flow.voltage.min() < 0.97
    assert penalties(Feeders(feeder).flow(net), net).sum() == 0
    beyond = 50 * (flow.transformer_loading[0] - 0.8) + 5 * np.maximum(0.97 - flow.voltage.astype(float), 0).sum()
    assert penalties(flow, net).sum() == pytest.approx(beyond, rel=1e-5)
    done = curtail(strict, np.full(146, 1.0), np.full(146, 2.7), np.zeros(146))
    assert 0.78 < done.flow.transformer_loading[0] <= 0.8 or 0.97 <= done.flow.voltage.min() < 0.971
    assert done.flow.transformer_loading[0] <= 0.8
    assert done.flow.voltage.min() >= 0.97
