"""The environment against rules written home by home and hour by hour."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.battery import Batteries
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import scenario_of

DATA = sample_data(3)


def naive(actions, first=0, information="follow", price=None, export=0.0, peak_fee=0.0):
    """Net load, cost and charge of each hour, (T, H), one home after the other."""
    price = DATA.price if price is None else price
    n_hours, n_homes, _ = actions.shape
    net, cost, charge = (np.zeros((n_hours, n_homes)) for _ in range(3))
    for home in range(n_homes):
        battery, peak = Batteries(DATA.battery_kwh[home], DATA.battery_kw[home]), 0.0
        for hour in range(n_hours):
            row = first + hour
            need = float(DATA.load[row, home]) - float(DATA.pv[row, home])
            u = min(1.0, max(-1.0, float(actions[hour, home, 0])))
            if information == "setpoint":
                asked = u * DATA.battery_kw[home]
            elif need < 0:  # PV that is left over is stored; more from the grid where u asks for it
                asked = -need + max(u, 0) * DATA.battery_kw[home]
            else:
                asked = u * need if u < 0 else u * DATA.battery_kw[home]
            net[hour, home] = need + float(battery.step(asked))
            charge[hour, home] = float(battery.charge)
            meter = net[hour, home]
            cost[hour, home] = meter * (price[row] if meter > 0 else export)
            if row > first and DATA.month[row] != DATA.month[row - 1]:
                peak = 0.0
            cost[hour, home] += peak_fee * max(0.0, meter - peak)
            peak = max(peak, meter)
    return net, cost, charge


def run(environment, actions):
    environment.reset()
    kept = []
    for each in actions:
        step = environment.step(each)
        kept.append((step.net.copy(), step.cost.copy(), environment.batteries.charge.copy(), step.rewards.copy()))
    assert step.ended
    return [np.array(each) for each in zip(*kept, strict=True)]


def random_actions(n_hours, n_components=1, n_homes=3, seed=0):
    return np.random.default_rng(seed).uniform(-1.3, 1.3, (n_hours, n_homes, n_components)).astype(np.float32)


@pytest.mark.parametrize("information", ["follow", "setpoint"])
@pytest.mark.parametrize("first", [0, 700])
def test_hours_as_written_home_by_home(information, first):
    actions = random_actions(200)
    environment = GridEnvironment(
        DATA, information=information, first_hour=first, n_hours=200, wear=0, reward_scale=2.0
    )
    net, cost, charge, rewards = run(environment, actions)
    expected = naive(actions, first, information)
    for ours, theirs in zip((net, cost, charge), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rewards, -expected[1] / 2, rtol=1e-6, atol=1e-6)


def test_fees_and_feed_in_as_written_home_by_home():
    actions = random_actions(100)
    fee = GridEnvironment(DATA, tariff="peakfee", first_hour=700, n_hours=100)  # over a month's end
    np.testing.assert_allclose(run(fee, actions)[1], naive(actions, 700, peak_fee=10.0)[1], rtol=1e-9, atol=1e-9)
    assert len(set(DATA.month[700:800].tolist())) == 2
    sold = GridEnvironment(DATA, tariff="tou+feed-in", first_hour=700, n_hours=100)
    np.testing.assert_allclose(run(sold, actions)[1], naive(actions, 700, export=0.08)[1], rtol=1e-9, atol=1e-9)
    carbon = GridEnvironment(DATA, tariff="carbon", n_hours=100)
    np.testing.assert_allclose(
        run(carbon, actions)[1], naive(actions, price=0.1 + DATA.carbon)[1], rtol=1e-9, atol=1e-9
    )


def test_homes_that_live_in_different_hours_are_those_of_each_hour_alone():
    starts = np.array([0, 5000, 168, 5000])
    homes = np.array([0, 0, 2, 1])
    scenario = scenario_of(DATA).select(homes)
    actions = random_actions(170, n_homes=4)
    environment = GridEnvironment(scenario, first_hour=starts, n_hours=170, tariff="peakfee", reward_scale=1.0)
    side_by_side = run(environment, actions)
    for column, (home, start) in enumerate(zip(homes, starts, strict=True)):
        alone = GridEnvironment(
            scenario_of(DATA).select([home]), first_hour=int(start), n_hours=170, tariff="peakfee", reward_scale=1.0
        )
        for ours, theirs in zip(side_by_side, run(alone, actions[:, [column]]), strict=True):
            np.testing.assert_array_equal(ours[:, column], theirs[:, 0])


def test_no_control_and_given_requests():
    environment = GridEnvironment(DATA, n_hours=3)
    environment.reset()
    step = environment.step(None)
    np.testing.assert_array_equal(step.net, DATA.load[0].astype(float) - DATA.pv[0])
    np.testing.assert_allclose(step.load, DATA.load[0], rtol=1e-6)
    step = environment.settle([2.0, 0.0, 9.0])
    np.testing.assert_allclose(step.balance[:2], [2.0, 0.0])
    np.testing.assert_allclose(step.clipped, [0, 0, 9 - step.balance[2]])
    assert step.balance[2] <= 5


def test_curtailment_is_not_exported():
    noon = int(np.argmax(DATA.pv[:24, 0]))
    environment = GridEnvironment(DATA, first_hour=noon, n_hours=2, curtailment=True, initial_charge=1.0)
    environment.reset()
    step = environment.step(np.float32([[-1, 0.5]] * 3))
    np.testing.assert_allclose(step.curtailed, DATA.pv[noon] / 2)
    np.testing.assert_allclose(step.pv, DATA.pv[noon] / 2)
    np.testing.assert_allclose(step.load, DATA.load[noon], rtol=1e-5)


def test_goes_on_to_the_same_bits():
    actions = random_actions(200)
    for options in ({"tariff": "peakfee"}, {"tariff": "community", "broadcast": True, "forecasts": "week"}):
        first = GridEnvironment(DATA, n_hours=200, **options)
        first.reset()
        pair = actions if first.n_actions == 1 else np.concatenate([actions, actions[::-1]], axis=2)
        for each in pair[:120]:
            first.step(each)
        second = GridEnvironment(DATA, n_hours=200, **options)
        np.testing.assert_array_equal(second.restore(first.state()), first.observations())
        for each in pair[120:]:
            ours, theirs = second.step(each), first.step(each)
            for name in ("observations", "rewards", "net", "cost"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert ours.ended


def test_a_community_pays_what_its_meter_shows():
    actions = random_actions(100, 2)
    totals = []
    for market in ("netting", "mid-market", "supply-demand"):
        environment = GridEnvironment(DATA, tariff="tou+feed-in", market=market, n_hours=100)
        assert environment.action_names == ("battery", "exchange")
        net, cost, *_ = run(environment, actions)
        meter = net.sum(axis=1)
        price = DATA.price[:100]
        np.testing.assert_allclose(cost.sum(axis=1), np.where(meter > 0, meter * price, meter * 0.08), atol=1e-9)
        totals.append(cost)
    assert not np.allclose(totals[0], totals[1])


def test_exchange_gives_beyond_the_own_need():
    environment = GridEnvironment(DATA, tariff="community", n_hours=2, initial_charge=0.7)
    environment.reset()
    need = DATA.load[0].astype(float) - DATA.pv[0]
    step = environment.step(np.float32([[-1, -0.1]] * 3))
    assert (need > 0).all()
    np.testing.assert_allclose(step.requested, -need - 0.5, rtol=1e-6)
    np.testing.assert_allclose(step.net, -0.5, rtol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"tariff": "cheap"}, "tariff must be one of tou"),
        ({"tariff": np.ones(5)}, "a price for each of the 8760 hours, not 5"),
        ({"information": "all"}, "information must be one of follow, setpoint"),
        ({"first_hour": 8760}, "first_hour must be between 0 and 8759"),
        ({"first_hour": [0, 1]}, "first_hour must be a whole number, or one of each of the 3 homes"),
        ({"first_hour": 8000, "n_hours": 1000}, "n_hours must be at most 760"),
        ({"communities": 2}, "communities must divide the 3 homes"),
        ({"first_hour": [0, 1, 2], "market": "netting"}, "first_hour must be the same for all homes of a community"),
        ({"market": "auction"}, "market must be one of netting"),
        ({"broadcast": "radio"}, "broadcast must be one of community"),
        ({"initial_charge": 1.5}, "initial_charge must be numbers between 0 and 1"),
        ({"reward_scale": 0.0}, "reward_scale must be above 0"),
        ({"forecasts": "magic"}, "forecasts must be one of persistence"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        GridEnvironment(DATA, **options)


def test_bad_actions_change_nothing():
    environment = GridEnvironment(DATA, n_hours=2)
    with pytest.raises(InputError, match="call reset"):
        environment.step(None)
    environment.reset()
    for actions, message in (
        (np.zeros((2, 1)), r"actions must be of shape \(3, 1\)"),
        (np.array([[0], [np.nan], [0]]), r"'battery' of home 1 \(home_2\) is not one in hour 0"),
        ([["a"], ["b"], ["c"]], "actions must be numbers"),
    ):
        with pytest.raises(InputError, match=message):
            environment.step(actions)
    assert environment.step_number == 0
    environment.step(None)
    assert environment.step(None).ended
    with pytest.raises(InputError, match="episode has ended"):
        environment.step(None)


def test_a_state_of_another_environment_changes_nothing():
    environment = GridEnvironment(DATA, n_hours=5)
    environment.reset()
    environment.step(None)
    before = environment.state()
    for other, message in (
        (GridEnvironment(DATA, n_hours=5, heat_pumps=True), "'device.heat pumps.inside' does not fit"),
        (GridEnvironment(DATA, n_hours=5, copies=2), r"state\['net'\] must be of shape \(3,\), not \(6,\)"),
    ):
        other.reset()
        with pytest.raises(InputError, match=message):
            environment.restore(other.state())
    longer = GridEnvironment(DATA, n_hours=9)
    longer.reset()
    for _ in range(7):
        longer.step(None)
    with pytest.raises(InputError, match="must be between 0 and 5, not 7"):
        environment.restore(longer.state())
    with pytest.raises(InputError, match="state must be what state"):
        environment.restore([])
    for name, value in environment.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_memory_is_refused_before_it_is_taken(monkeypatch):
    from trulysparse import NotEnoughMemoryError
    from trulysparse._core import memory

    monkeypatch.setattr(memory, "free_bytes", lambda: memory.MARGIN + 10_000_000)
    with pytest.raises(NotEnoughMemoryError, match="an environment of 30000 homes needs about"):
        GridEnvironment(DATA, copies=10_000)
    GridEnvironment(DATA, copies=10, reward_scale=1.0)
