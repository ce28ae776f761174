"""Scenarios: maps into the data, read back hour by hour by the rule written naively."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.data import GridData
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import Scenario, resample, scenario_of


@pytest.fixture(scope="module")
def data() -> GridData:
    return sample_data()


def cut(data: GridData, first: int, last: int) -> GridData:
    """Some hours of the data."""
    rows = ("hour", "weekday", "month", "load", "pv", "price", "carbon", "temperature")
    return replace(data, predicted={}, **{name: getattr(data, name)[first:last] for name in rows})


def day_and_hour(data: GridData, row: int) -> tuple[int, int]:
    return divmod(row + int(data.hour[0]), 24)


def test_homes_as_they_are(data: GridData) -> None:
    scenario = scenario_of(data)
    for hour in (0, 17, data.n_hours - 1):
        load, pv = scenario.load_pv(hour)
        np.testing.assert_array_equal(load, data.load[hour])
        np.testing.assert_array_equal(pv, data.pv[hour])
        load += 1  # the arrays are the caller's own
        np.testing.assert_array_equal(scenario.load_pv(hour)[0], data.load[hour])
    np.testing.assert_array_equal(scenario.battery_kwh, data.battery_kwh)
    assert (scenario.n_homes, scenario.n_hours) == (data.n_homes, data.n_hours)


@pytest.mark.parametrize("first", [0, 5, 23])  # data that begin in the middle of a day
def test_resampled_homes_have_their_days_and_the_true_sky(data: GridData, first: int) -> None:
    part = cut(data, first, first + 24 * 30)
    scenario = resample(part, 40, seed=3)
    load, pv = scenario.window(0, part.n_hours)
    rows = np.random.default_rng(0).integers(0, part.n_hours, 60)
    for row in [0, part.n_hours - 1, *rows]:
        day, hour = day_and_hour(part, row)
        for home in range(0, 40, 7):
            source = scenario.day_of[day, home] * 24 + hour - part.hour[0]
            origin = scenario.home[home]
            assert part.hour[source] == part.hour[row]
            assert load[row, home] == np.float32(part.load[source, origin] * scenario.load_factor[home])
            assert pv[row, home] == np.float32(part.pv[row, origin] * scenario.pv_factor[home])
        one_load, one_pv = scenario.load_pv(row)
        np.testing.assert_array_equal(one_load, load[row])
        np.testing.assert_array_equal(one_pv, pv[row])


def test_days_are_near_in_season_of_the_same_kind_and_all_that_are_occur(data: GridData) -> None:
    scenario = resample(data, 3000, seed=0)
    days = scenario.day_of.shape[0]

    def kind(day: int) -> int:
        return max(int(data.weekday[np.clip(day * 24 + 12 - int(data.hour[0]), 0, data.n_hours - 1)]), 4)

    for day in (0, 1, 5, 100, 200, days - 1):
        whole = range(0 if data.hour[0] == 0 else 1, (data.n_hours + int(data.hour[0])) // 24)
        expected = {d for d in whole if kind(d) == kind(day) and min(abs(d - day), len(whole) - abs(d - day)) <= 10}
        assert set(scenario.day_of[day].tolist()) == expected


def test_factors_and_batteries_are_spread_as_asked_for(data: GridData) -> None:
    scenario = resample(data, 4000, seed=1, load_sigma=0.2, pv_sigma=0.1, battery_factors=(0, 0.5, 1, 2))
    for factors, sigma in ((scenario.load_factor, 0.2), (scenario.pv_factor, 0.1)):
        assert np.log(factors).std() == pytest.approx(sigma, rel=0.05)
        assert abs(np.log(factors).mean()) < 0.02
    own = data.battery_kwh[scenario.home]
    shares, counts = np.unique(np.round(scenario.battery_kwh / own, 6), return_counts=True)
    assert shares.tolist() == [0, 0.5, 1, 2]
    assert counts.min() > 850
    np.testing.assert_allclose(scenario.battery_kw * own, scenario.battery_kwh * data.battery_kw[scenario.home])
    assert np.bincount(scenario.home, minlength=data.n_homes).min() > 0.8 * 4000 / data.n_homes
    np.testing.assert_allclose(scenario.pv_kw, data.pv_kw[scenario.home] * scenario.pv_factor)


def test_homes_share_one_sky(data: GridData) -> None:
    """PV of two homes made of one differs by a factor alone."""
    scenario = resample(data, 30, seed=2, homes=[2])
    _, pv = scenario.window(100, 200)
    lit = pv[:, 0] > 0.01
    assert lit.any()
    ratio = pv[lit, 1] / pv[lit, 0]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_seeds(data: GridData) -> None:
    one, same, other = resample(data, 50, seed=5), resample(data, 50, seed=5), resample(data, 50, seed=6)
    more = resample(data, 80, seed=5)
    for name in ("home", "load_factor", "pv_factor", "battery_kwh", "battery_kw"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        np.testing.assert_array_equal(getattr(one, name), getattr(more, name)[:50])
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.day_of, more.day_of[:, :50])
    assert not np.array_equal(one.day_of, other.day_of)


def test_homes_are_drawn_from_those_named(data: GridData) -> None:
    assert set(resample(data, 100, homes=[1, 4]).home.tolist()) == {1, 4}


def test_selected_homes_are_those_homes(data: GridData) -> None:
    scenario = resample(data, 20, seed=4)
    some = scenario.select([7, 7, 3])
    for hour in (0, 30, 8000):
        for whole, part in zip(scenario.load_pv(hour), some.load_pv(hour), strict=True):
            np.testing.assert_array_equal(part, whole[[7, 7, 3]])
    np.testing.assert_array_equal(some.battery_kw, scenario.battery_kw[[7, 7, 3]])
    np.testing.assert_array_equal(scenario_of(data).select(np.array([1])).home, [1])


def test_short_data_take_the_nearest_whole_day(data: GridData) -> None:
    part = cut(data, 20, 20 + 40)  # one whole day between two parts of days
    scenario = resample(part, 5)
    assert (scenario.day_of == 1).all()
    with pytest.raises(InputError, match="at least one whole day"):
        resample(cut(data, 20, 30), 5)


def test_map_of_ten_thousand_homes_is_small(data: GridData) -> None:
    scenario = resample(data, 10_074)
    assert scenario.day_of.nbytes < 16e6
    load, pv = scenario.load_pv(4000)
    assert load.dtype == pv.dtype == np.float32
    assert load.shape == pv.shape == (10_074,)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_homes": 0}, "n_homes must be at least 1"),
        ({"battery_factors": ()}, "battery_factors must hold at least one number"),
        ({"battery_factors": (-1,)}, "battery_factors must lie in"),
        ({"load_sigma": -0.1}, "load_sigma must lie in"),
        ({"season_days": -1}, "season_days must be between 0 and 182"),
        ({"homes": [99]}, "homes must lie in"),
        ({"homes": [0.5]}, "homes must be a list of numbers of homes"),
    ],
)
def test_resample_refuses(data: GridData, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resample(data, **({"n_homes": 4} | options))


def test_scenario_refuses_maps_that_do_not_fit(data: GridData) -> None:
    scenario = resample(data, 4)
    for change, message in (
        ({"home": np.array([0, 1, 2, 99])}, "home must hold numbers of homes of the data"),
        ({"load_factor": np.ones(3, np.float32)}, "load_factor must be 4 numbers"),
        ({"battery_kw": -np.ones(4)}, "battery_kw must be 4 numbers of at least 0"),
        ({"day_of": scenario.day_of[:5]}, "day_of must have shape"),
        ({"day_of": scenario.day_of + 1000}, "day_of must hold whole days"),
    ):
        with pytest.raises(InputError, match=message):
            replace(scenario, **change)
    for hour in (-1, data.n_hours):
        with pytest.raises(InputError, match="hour must lie in"):
            scenario.load_pv(hour)
    with pytest.raises(InputError, match="last must be between 0 and"):
        scenario.window(0, data.n_hours + 1)
    assert isinstance(scenario, Scenario)
