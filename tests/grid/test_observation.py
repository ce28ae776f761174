"""Observations, number by number, from the data; none of them from the future."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from grid_files import other_future
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.observation import NAMES, hours_to_next_peak
from trulysparse.grid.sample import sample_data
from trulysparse.grid.tariff import make_tariff

DATA = sample_data(3)


def naive(row, home, export=0.0, end=8760):
    """The numbers that do not depend on actions, by name."""
    at = min(row, end - 1)
    hour = (DATA.hour[at] + (row - at)) % 24
    net = DATA.load[:, home].astype(float) - DATA.pv[:, home]
    past = slice(max(0, row - 24), row)
    ahead = [DATA.price[min(at + each, end - 1)] / 0.5 for each in (0, 6, 12)]
    peak = next((each for each in range(24) if at + each < end and DATA.price[at + each] > 0.375), 24)
    values = [np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)]
    values += [np.sin(2 * np.pi * hour / 12), np.cos(2 * np.pi * hour / 12), DATA.weekday[at] >= 5]
    values += [np.sin(2 * np.pi * (DATA.month[at] - 1) / 12), np.cos(2 * np.pi * (DATA.month[at] - 1) / 12)]
    values += [*ahead, export / 0.5, peak / 24, DATA.carbon[row - 1] / 0.3 if row else 0]
    values += [net[row - 1] / 3, DATA.pv[row - 1, home] / 2] if row else [0, 0]
    values += [DATA.load[past, home].mean() / 3, DATA.pv[past, home].mean() / 2] if row else [0, 0]
    values += [net[row - 24] / 3, net[row - 24 : row - 18].mean() / 3] if row >= 24 else [0, 0]
    return dict(zip(NAMES, values, strict=False))


@pytest.mark.parametrize("first", [0, 20, 8700])
def test_numbers_that_do_not_depend_on_actions(first):
    environment = GridEnvironment(DATA, tariff="tou+feed-in", first_hour=first, n_hours=60)
    seen = environment.reset()
    assert seen.dtype == np.float32
    assert environment.observation_names == NAMES
    for hour in range(61):
        row = first + hour
        if hour < 12 or row >= 24:
            for home in range(3):
                for name, value in naive(row, home, export=0.08).items():
                    if name.startswith("forecast") and row < 24:
                        continue
                    ours = seen[home, NAMES.index(name)]
                    np.testing.assert_allclose(ours, value, rtol=1e-4, atol=1e-5, err_msg=f"{name} {row} {home}")
        if hour < 60:
            seen = environment.step(None).observations


def test_state_and_what_is_told():
    environment = GridEnvironment(DATA, broadcast=True, n_hours=100)
    environment.reset()
    highest = np.zeros(3)
    for _ in range(100):
        step = environment.step(np.full((3, 1), 0.4))
        highest = np.maximum(highest, step.net)
        seen = dict(zip(NAMES, step.observations.T, strict=True))
        np.testing.assert_allclose(seen["battery charge"], environment.charge, rtol=1e-6)
        np.testing.assert_allclose(seen["highest import of the month"], highest / 10, rtol=1e-6)
        np.testing.assert_allclose(seen["community net last hour"], step.net.sum() / 9, rtol=1e-6)
        assert not seen["voltage last hour"].any()
        assert not seen["feeder loading last hour"].any()


@pytest.mark.parametrize("options", [{}, {"forecasts": "week"}])
def test_no_number_knows_the_future(options):
    """Load, PV, carbon and temperature from an hour on are exchanged: what is seen until then stays the same."""
    now = 900
    changed = {}
    for name in ("load", "pv", "carbon", "temperature"):
        values = getattr(DATA, name).copy()
        values[now:] = values[now:][::-1]
        changed[name] = values
    other = dataclasses.replace(DATA, **changed)
    scale = {"reward_scale": 1.0, "n_hours": 50, "first_hour": now - 20, "heat_pumps": True}
    ours, theirs = (GridEnvironment(data, **scale, **options) for data in (DATA, other))
    pairs = [(ours.reset().copy(), theirs.reset().copy())]
    for _ in range(22):
        pairs.append(tuple(each.step(np.zeros((3, 2))).observations.copy() for each in (ours, theirs)))
    for same in pairs[:21]:
        np.testing.assert_array_equal(*same)
    assert (pairs[21][0] != pairs[21][1]).any()


def test_an_oracle_sees_the_predictions_and_says_so():
    predicted = {
        "outdoor_dry_bulb_temperature_predicted_1": np.arange(8760.0),
        "direct_solar_irradiance_predicted_2": np.ones(8760),
    }
    data = dataclasses.replace(DATA, predicted=predicted)
    assert GridEnvironment(data, n_hours=24).observation_names == NAMES
    environment = GridEnvironment(data, oracle=True, first_hour=50, n_hours=24)
    assert environment.observation_names[24:] == tuple(f"oracle: {name}" for name in predicted)
    np.testing.assert_allclose(environment.reset()[:, 24:], [[50 / 20, 1 / 1000]] * 3)
    np.testing.assert_allclose(environment.step(None).observations[:, 24:], [[51 / 20, 1 / 1000]] * 3)


def test_observations_stay_for_two_steps():
    environment = GridEnvironment(DATA, n_hours=400)
    before = environment.reset()
    for _ in range(399):
        kept = before.copy()
        now = environment.step(None).observations
        np.testing.assert_array_equal(before, kept)
        before = now


def test_hours_to_the_next_peak():
    tariff = make_tariff("tou", DATA, 3)
    hours = hours_to_next_peak(tariff)[:, 0]
    for row in (0, 10, 15, 19, 20, 4000, 8759):
        ahead = np.flatnonzero(DATA.price[row : row + 24] > 0.375)
        assert hours[row] == (ahead[0] if ahead.size else 24)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"forecasts": "week", "information": "setpoint"},
        {"electric_vehicles": True, "heat_pumps": True, "curtailment": True},
        {"market": "netting", "broadcast": True, "tariff": "peakfee"},
        {"feeder": Feeder.named("landnetz"), "broadcast": "feeder"},
    ],
)
def test_another_future_changes_nothing_before(options):
    n_homes = 17 if "feeder" in options else 3
    first, cut = 190, 190 + 29
    data = sample_data(n_homes)
    seen = []
    for each in (data, other_future(data, cut)):
        environment = GridEnvironment(each, first_hour=first, n_hours=48, reward_scale=1.0, **options)
        rng = np.random.default_rng(0)
        kept = [environment.reset().copy()]
        for _ in range(36):
            actions = rng.uniform(-1, 1, (n_homes, environment.n_actions))
            kept.append(environment.step(actions).observations.copy())
        seen.append(np.array(kept))
    np.testing.assert_array_equal(seen[0][: cut - first + 1], seen[1][: cut - first + 1])
    assert (seen[0][cut - first + 1 :] != seen[1][cut - first + 1 :]).any(axis=(1, 2)).all()
