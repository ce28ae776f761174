"""Homes of our own making: a year of loads, sun, prices and weather drawn from a seed, with no download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.checks import integer
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData

Array = NDArray[np.float64]

DAYS = 365
HOURS = 24 * DAYS
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LATITUDE = np.deg2rad(38.0)
PEAK_HOURS = range(15, 20)  # the hours beginning at 15:00 to 19:00, standard time
MOST_HOMES = 1000


def sample_data(n_homes: int = 6, seed: int = 0) -> GridData:
    """A year of homes that do not exist: made by formulas from a seed, like real ones in what matters for control.

    Each home has its own level, hours of getting up and coming home, week-ends, appliances, heating, cooling and weeks
    away. The panels of all stand under one sky, whose clouds come and go over days; roofs face different ways. Prices
    are those of a time-of-use tariff: .21 $/kWh (.22 in June to September), .50 (.54) in the hours that begin at 15 to
    19, .40 at summer week-ends.

    Args:
        n_homes: how many homes, 1 to 1,000.
        seed: another seed is another year of other homes. The first homes of a seed are the same for any n_homes.

    Returns:
        8,760 hours from Monday 1 January, homes with a battery of 6.4 kWh and 5 kW and panels of 4 or 5 kW. There are
        no forecasts in it.

    Raises:
        InputError: n_homes or seed is not such an integer.

    Example:
        >>> data = sample_data()
        >>> data.load.shape, sorted(set(data.price.tolist()))
        ((8760, 6), [0.21, 0.22, 0.4, 0.5, 0.54])
    """
    n_homes = integer("n_homes", n_homes, low=1)
    if n_homes > MOST_HOMES:
        raise InputError(f"n_homes must be at most {MOST_HOMES}, not {n_homes}: resample() makes more")
    seed = integer("seed", seed, low=0)
    hour = np.tile(np.arange(24, dtype=np.int8), DAYS)
    weekday = np.repeat((np.arange(DAYS) % 7).astype(np.int8), 24)
    month = np.repeat(np.repeat(np.arange(1, 13, dtype=np.int8), MONTH_DAYS), 24)
    sky = np.random.default_rng([seed, 0])
    clear, warmth = _clearness(sky), _temperature(sky)
    homes = [np.random.default_rng([seed, 1, number]) for number in range(n_homes)]
    pv_kw = np.array([rng.choice((4.0, 5.0)) for rng in homes])
    return GridData(
        names=tuple(f"home_{number}" for number in range(1, n_homes + 1)),
        hour=hour,
        weekday=weekday,
        month=month,
        load=np.stack([_load(rng, warmth) for rng in homes], axis=1).astype(np.float32),
        pv=np.stack([kw * _panel(rng, clear) for rng, kw in zip(homes, pv_kw, strict=True)], axis=1).astype(np.float32),
        price=time_of_use_price(hour, weekday, month),
        carbon=_carbon(sky, clear),
        temperature=warmth.astype(np.float32),
        battery_kwh=np.full(n_homes, 6.4),
        battery_kw=np.full(n_homes, 5.0),
        pv_kw=pv_kw,
    )


def time_of_use_price(hour: NDArray[np.int8], weekday: NDArray[np.int8], month: NDArray[np.int8]) -> Array:
    """A time-of-use tariff in $/kWh, dear in the hours that begin at 15 to 19.

    Args:
        hour: (T,) hour of day, 0 to 23.
        weekday: (T,) 0 = Monday to 6 = Sunday.
        month: (T,) 1 to 12.

    Example:
        >>> time_of_use_price(np.array([3, 16, 16]), np.array([0, 0, 6]), np.array([1, 7, 7])).tolist()
        [0.21, 0.54, 0.4]
    """
    summer, free = (month >= 6) & (month <= 9), weekday >= 5
    peak = np.isin(hour, PEAK_HOURS)
    return np.where(peak, np.where(summer, np.where(free, 0.4, 0.54), 0.5), np.where(summer, 0.22, 0.21))


def _carried(rng: np.random.Generator, n: int, keep: float) -> Array:
    """Noise in which each value keeps a share of the one before: an autoregression of order 1 with unit variance."""
    weights = keep ** np.arange(int(np.log(1e-4) / np.log(keep)) + 1)
    values: Array = np.convolve(rng.standard_normal(n + len(weights) - 1), weights, "valid") * np.sqrt(1 - keep**2)
    return values


def _temperature(rng: np.random.Generator) -> Array:
    day, hour = np.arange(HOURS) / 24, np.arange(HOURS) % 24
    season = 16.5 - 5.0 * np.cos(2 * np.pi * (day - 25) / DAYS)
    return season - 3.5 * np.cos(2 * np.pi * (hour - 2.5) / 24) + 2.5 * _carried(rng, HOURS, 0.985)


def _clearness(rng: np.random.Generator) -> Array:
    """The share of a clear sky's light that comes through, the same for all homes."""
    weather = np.repeat(_carried(rng, DAYS, 0.5), 24)
    winter = 0.5 * np.cos(2 * np.pi * (np.arange(HOURS) / 24 - 10) / DAYS)
    clouds = weather + 0.5 * _carried(rng, HOURS, 0.8) + winter
    return 1 - 0.8 / (1 + np.exp(-2.2 * (clouds - 1.1)))


def _panel(rng: np.random.Generator, clear: Array) -> Array:
    """kWh of each hour per kW of panels: sun on a tilted roof, by its mean over the hour's middle, times the sky."""
    facing = np.deg2rad(rng.normal(0, 35))  # from south, positive = west
    tilt = np.deg2rad(rng.uniform(12, 32))
    made = rng.uniform(0.72, 0.86)
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (np.repeat(np.arange(DAYS), 24) - 80) / DAYS)
    angle = np.deg2rad(15) * (np.arange(HOURS) % 24 + 0.5 - 12)
    up = np.sin(LATITUDE) * np.sin(declination) + np.cos(LATITUDE) * np.cos(declination) * np.cos(angle)
    south = np.sin(LATITUDE) * np.cos(declination) * np.cos(angle) - np.cos(LATITUDE) * np.sin(declination)
    west = np.cos(declination) * np.sin(angle)
    on_roof = np.cos(tilt) * up + np.sin(tilt) * (np.cos(facing) * south + np.sin(facing) * west)
    light = np.maximum(up, 0.0) ** 0.3 * np.maximum(on_roof, 0.0)
    own_clouds = np.exp(0.05 * rng.standard_normal(HOURS))
    power: Array = np.minimum(made * light * clear * own_clouds, 1.0)
    return power


def _load(rng: np.random.Generator, warmth: Array) -> Array:
    """kWh of each hour that one home uses."""
    hour, day = np.arange(HOURS) % 24, np.arange(HOURS) // 24
    free = day % 7 >= 5

    def bump(centre: float, width: float) -> Array:
        away = (hour - centre + 12) % 24 - 12
        return np.asarray(np.exp(-0.5 * (away / width) ** 2))

    level = rng.lognormal(0.0, 0.35)
    morning = rng.uniform(0.1, 0.9) * bump(rng.normal(7.5, 1.5), rng.uniform(0.8, 1.8))
    evening = rng.uniform(0.5, 1.5) * bump(rng.normal(18.7, 1.8), rng.uniform(1.2, 2.8))
    daytime = bump(rng.normal(12.5, 1.5), 3.0) * (rng.uniform(0.0, 1.0) + free * rng.uniform(0.0, 0.8))
    habits = 0.08 + morning + evening + daytime
    busy = np.exp(0.35 * np.repeat(rng.standard_normal(DAYS), 24) + 0.45 * _carried(rng, HOURS, 0.6))
    appliances = np.convolve(rng.gamma(0.45, 1.5, HOURS + 1), [0.6, 0.4], "valid")
    cooling = rng.uniform(0.0, 0.2) * np.maximum(warmth - 21.0, 0.0) * bump(16.0, 5.0)
    heating = rng.uniform(0.0, 0.1) * np.maximum(14.0 - warmth, 0.0)
    there = np.ones(DAYS)
    for start, length in zip(rng.integers(0, DAYS, 2), rng.integers(3, 15, 2), strict=True):
        there[start : start + length] = 0.05
    used = habits * (0.6 * busy + appliances) + cooling + heating
    load: Array = rng.uniform(0.1, 0.35) + level * np.repeat(there, 24) * used
    return load


def _carbon(rng: np.random.Generator, clear: Array) -> Array:
    """kg CO2 per kWh from the grid: more towards the evening, less where the sun shines, with days of more and less."""
    day, hour = np.arange(HOURS) / 24, np.arange(HOURS) % 24
    daily = 0.155 - 0.022 * np.cos(2 * np.pi * (hour - 3.5) / 24) + 0.018 * np.exp(-0.5 * ((hour - 18) / 2.5) ** 2)
    season = 0.02 * np.cos(2 * np.pi * (day - 215) / DAYS)
    sun = 0.02 * clear * np.exp(-0.5 * ((hour - 12) / 2.5) ** 2)
    return np.clip(daily + season - sun + 0.018 * _carried(rng, HOURS, 0.95), 0.07, 0.29)
