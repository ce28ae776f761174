"""Vehicles and heat pumps in the environment."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.electric_vehicle import POWER_KW, ElectricVehicles
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.heat_pump import SET_POINT, HeatPumps
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)
OPTIONS = {"n_hours": 60, "electric_vehicles": True, "heat_pumps": True, "reward_scale": 1.0, "wear": 0.0}


def test_load_cost_and_observations_are_those_of_the_devices():
    homes = GridEnvironment(DATA, seed=4, **OPTIONS)
    assert homes.action_names == ("battery", "vehicle charging", "heat-pump shift")
    seen = homes.reset().copy()
    vehicles, pumps = ElectricVehicles(3, seed=4), HeatPumps(3)
    rng, lacked = np.random.default_rng(0), 0.0
    for hour in range(60):
        there, to_go, missing = vehicles.observe(hour)
        np.testing.assert_allclose(seen[:, 24:27], np.stack([there, to_go / 24, missing / 10], axis=1), rtol=1e-6)
        np.testing.assert_allclose(seen[:, 27], (pumps.inside - SET_POINT) / 2, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(seen[:, 28], DATA.temperature[max(hour - 1, 0)] / 20, rtol=1e-6)
        actions = rng.uniform(-1, 1, (3, 3))
        if hour < 40:
            actions[:, 1] = -1  # vehicles do not charge, so that some leave without enough
        step = homes.step(actions)
        drawn = vehicles.step(np.maximum(actions[:, 1], 0) * POWER_KW, hour)
        drawn += pumps.step(actions[:, 2], DATA.temperature[hour])
        np.testing.assert_allclose(step.load, DATA.load[hour] + drawn, rtol=1e-6)
        np.testing.assert_allclose(step.indoors, pumps.inside)
        np.testing.assert_allclose(step.vehicle_missing, vehicles.unmet_kwh)
        too_cold = np.maximum(SET_POINT - pumps.inside, 0)
        np.testing.assert_allclose(step.discomfort, too_cold, atol=1e-12)
        paid = step.cost + vehicles.unmet_kwh + 0.05 * too_cold
        np.testing.assert_allclose(step.rewards, -paid, rtol=1e-5, atol=1e-6)
        lacked += vehicles.unmet_kwh.sum()
        seen = step.observations.copy()
    assert lacked > 0


def test_a_cold_room_costs_more_than_it_saves():
    """Over two cold weeks: else every agent would learn to freeze its home."""
    returns, costs, cold = [], [], []
    for shift in (0.0, -1.0):
        homes = GridEnvironment(DATA, n_hours=336, heat_pumps=True, reward_scale=1.0, observe=False)
        outcome = run(homes, lambda homes, shift=shift: np.tile([-1.0, shift], (3, 1)))
        costs.append(outcome.cost())
        cold.append(outcome.details["too_cold_kelvin_hours"])
        homes.reset()
        returns.append(sum(homes.step(np.tile([-1.0, shift], (3, 1))).rewards.sum(dtype=float) for _ in range(336)))
    assert costs[1] < costs[0]
    assert returns[1] < returns[0]
    assert cold[0] < 1e-6
    assert 1500 < cold[1] < 2.0 * 3 * 336


def test_without_control_vehicles_charge_at_once():
    homes = GridEnvironment(DATA, **OPTIONS)
    homes.reset()
    vehicles, pumps = ElectricVehicles(3), HeatPumps(3)
    for hour in range(60):
        step = homes.step(None)
        drawn = vehicles.step(POWER_KW, hour) + pumps.step(0.0, DATA.temperature[hour])
        np.testing.assert_allclose(step.load, DATA.load[hour] + drawn, rtol=1e-6)
        assert not step.balance.any()


def test_seeds_and_copies():
    homes = GridEnvironment(DATA, copies=2, n_hours=48, electric_vehicles=True)

    def loads(seed):
        homes.reset(seed=seed)
        return np.array([homes.step(None).load for _ in range(48)])

    first = loads(1)
    np.testing.assert_array_equal(first[:, :3], first[:, 3:])
    assert (first != loads(2)).any()
    np.testing.assert_array_equal(first, loads(1))


@pytest.mark.parametrize("option", ["electric_vehicles", "heat_pumps"])
def test_goes_on_to_the_same_bits(option):
    first, second = (GridEnvironment(DATA, n_hours=60, seed=seed, **{option: True}) for seed in (3, 0))
    first.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 3, 2))
    for each in actions[:30]:
        first.step(each)
    np.testing.assert_array_equal(second.restore(first.state()), first.observations())
    for each in actions[30:]:
        ours, theirs = second.step(each), first.step(each)
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.net, theirs.net)


def test_homes_that_live_in_different_hours_have_their_own_days():
    options = {"n_hours": 50, "electric_vehicles": True, "heat_pumps": True}
    first = np.array([0, 300, 4000])
    together = GridEnvironment(DATA, first_hour=first, **options)
    together.reset()
    alone = [GridEnvironment(DATA, first_hour=int(each), **options) for each in first]
    for each in alone:
        each.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (50, 3, 3))
    for number, each in enumerate(actions):
        if number == 20:  # and they go on to the same bits
            other = GridEnvironment(DATA, **options)
            other.restore(together.state())
            together = other
        step = together.step(each)
        for home, one in enumerate(alone):
            own = one.step(each)
            assert step.net[home] == own.net[home]
            assert step.rewards[home] == own.rewards[home]
            np.testing.assert_array_equal(step.observations[home, 24:], own.observations[home, 24:])
