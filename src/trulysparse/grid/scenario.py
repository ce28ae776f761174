"""Which homes live through which hours. Thousands of homes are maps into the data of a few, never arrays of hours x
homes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import memory
from trulysparse._core.checks import integer, plain, real
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
BATTERY_FACTORS = (0.0, 0.5, 1.0, 2.0)
SEASON_DAYS = 10
SMALL = 16 << 20  # bytes that are there without asking
YEAR_DAYS = range(364, 368)  # data of so many days are taken as a circle


@dataclass(frozen=True, eq=False)
class Scenario:
    """Homes over the hours of a data set: each is a home of the data, whose days may be exchanged and whose load and PV
    may be larger or smaller. `scenario_of` and `resample` make one.

    Args:
        data: the GridData that all is read from; hours, prices, carbon and weather are its own.
        home: (homes,) which home of the data each home is.
        load_factor: (homes,) what its load is multiplied by.
        pv_factor: (homes,) what its PV is multiplied by.
        battery_kwh: (homes,) capacity of its battery, 0 for none.
        battery_kw: (homes,) power of its battery.
        day_of: (days, homes) from which day of the data each day's load is taken; None: each from itself. PV is always
            that of the true hour: there is one sky. Day 0 is the day of the data's first row.

    Raises:
        InputError: for arrays whose shapes do not fit, or a home or day that the data do not have.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> scenario = scenario_of(sample_data())
        >>> load, pv = scenario.load_pv(12)
        >>> load.shape == pv.shape == (scenario.n_homes,)
        True
    """

    data: GridData
    home: Indices
    load_factor: NDArray[np.float32]
    pv_factor: NDArray[np.float32]
    battery_kwh: Array
    battery_kw: Array
    day_of: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        n = len(self.home)
        if n == 0 or self.home.min() < 0 or self.home.max() >= self.data.n_homes:
            raise InputError(
                f"home must hold numbers of homes of the data, 0 to {self.data.n_homes - 1}, not {self.home}"
            )
        for name in ("load_factor", "pv_factor", "battery_kwh", "battery_kw"):
            values = getattr(self, name)
            if values.shape != (n,) or not (np.isfinite(values).all() and (values >= 0).all()):
                raise InputError(f"{name} must be {n} numbers of at least 0, not {values!r:.80}")
        if self.day_of is not None:
            days = _n_days(self.data)
            if self.day_of.shape != (days, n):
                raise InputError(f"day_of must have shape ({days}, {n}), not {self.day_of.shape}")
            first, last = _full_days(self.data)
            if self.day_of.min() < first or self.day_of.max() > last:
                raise InputError(f"day_of must hold whole days of the data, {first} to {last}")

    @property
    def n_homes(self) -> int:
        """How many homes there are."""
        return len(self.home)

    @property
    def n_hours(self) -> int:
        """How many hours the data have."""
        return self.data.n_hours

    @property
    def pv_kw(self) -> Array:
        """(homes,) rated power of the panels."""
        return self.data.pv_kw[self.home] * self.pv_factor

    def load_pv(self, hour: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What homes need and make in one hour.

        Args:
            hour: row of the data, 0 to n_hours - 1.

        Returns:
            (homes,) load and (homes,) PV, kWh; new arrays.
        """
        if not 0 <= hour < self.n_hours:
            raise InputError(f"hour must lie in [0, {self.n_hours - 1}], not {hour}")
        pv = self.data.pv[hour].take(self.home)
        pv *= self.pv_factor
        if self.day_of is None:
            load = self.data.load[hour].take(self.home)
        else:
            day, of_day = divmod(hour + self._first_hour, 24)
            load = self._flat_load.take(self._places(day) + (of_day * self.data.n_homes))
        load *= self.load_factor
        return load, pv

    def window(self, first: int, last: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What homes need and make in the hours first to last - 1.

        Args:
            first: the first row.
            last: the row after the last, at most n_hours.

        Returns:
            (hours, homes) load and (hours, homes) PV, kWh.

        Raises:
            InputError: for hours that the data do not have.
            NotEnoughMemoryError: where the arrays would not fit.
        """
        first, last = integer("first", first, low=0), integer("last", last, low=0, high=self.n_hours)
        n = max(0, last - first)
        if (needed := 16 * n * self.n_homes) > SMALL:  # what is free is looked up in files
            memory.require(needed, f"{n} hours of {self.n_homes} homes", "ask for fewer hours at once")
        if self.day_of is None:
            load, pv = (each[first:last].take(self.home, axis=1) for each in (self.data.load, self.data.pv))
            load *= self.load_factor
            pv *= self.pv_factor
            return load, pv
        load, pv = np.empty((2, n, self.n_homes), np.float32)
        for row, hour in enumerate(range(first, last)):
            load[row], pv[row] = self.load_pv(hour)
        return load, pv

    def select(self, homes: ArrayLike) -> Scenario:
        """Some of the homes.

        Args:
            homes: numbers of homes, in any order; one that is named twice is there twice.

        Returns:
            A Scenario of them, on the same data.

        Example:
            >>> from trulysparse.grid.sample import sample_data
            >>> scenario_of(sample_data()).select([0, 0, 2]).home
            array([0, 0, 2])
        """
        chosen = np.asarray(homes)
        if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer) or chosen.size == 0:
            raise InputError(f"homes must be a list of numbers of homes, not {plain(homes)!r:.80}")
        if chosen.min() < 0 or chosen.max() >= self.n_homes:
            raise InputError(f"homes must lie in [0, {self.n_homes - 1}], not {chosen.min()} to {chosen.max()}")
        names = ("home", "load_factor", "pv_factor", "battery_kwh", "battery_kw")
        fields: dict[str, Any] = {name: getattr(self, name)[chosen] for name in names}
        if self.day_of is not None:
            fields["day_of"] = np.ascontiguousarray(self.day_of[:, chosen])
        return replace(self, **fields)

    @cached_property
    def _first_hour(self) -> int:
        return int(self.data.hour[0])

    @cached_property
    def _flat_load(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.data.load).reshape(-1)

    def _places(self, day: int) -> Indices:
        """Where hour 0 of each home's day is in the flat array of loads; it may lie before the array's beginning. Kept
        for the hours of one day."""
        kept: tuple[int, Indices] | None = self.__dict__.get("_kept")
        if kept is None or kept[0] != day:
            assert self.day_of is not None
            rows = self.day_of[day].astype(np.int64) * 24 - self._first_hour
            kept = self.__dict__["_kept"] = (day, rows * self.data.n_homes + self.home)
        return kept[1]


def scenario_of(data: GridData) -> Scenario:
    """The homes of the data as they are.

    Args:
        data: a GridData.

    Returns:
        A Scenario of as many homes, with their own batteries.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> data = sample_data()
        >>> scenario_of(data).n_homes == data.n_homes
        True
    """
    ones = np.ones(data.n_homes, np.float32)
    kwh, kw = np.array(data.battery_kwh, float), np.array(data.battery_kw, float)
    return Scenario(data, np.arange(data.n_homes), ones, ones, kwh, kw)


def resample(
    data: GridData,
    n_homes: int,
    *,
    seed: int = 0,
    homes: ArrayLike | None = None,
    season_days: int = SEASON_DAYS,
    load_sigma: float = 0.2,
    pv_sigma: float = 0.1,
    battery_factors: Sequence[float] = BATTERY_FACTORS,
) -> Scenario:
    """Many homes that resemble those of the data. Each is a home drawn from the data; each of its days has the load of
    a day of that home near in season and of the same kind (working day, Saturday, Sunday); load and PV are scaled by
    lognormal factors; the battery is a multiple of that home's. PV is that of the true hour, so all homes share one
    sky.

    Args:
        data: the GridData to draw from.
        n_homes: how many homes to make.
        seed: the same seed gives the same homes, and the first homes of a larger draw are those of a smaller one.
        homes: which homes of the data to draw from; None: all.
        season_days: how many days earlier or later a day may come from.
        load_sigma: standard deviation of the logarithm of the load's factor; its median is 1.
        pv_sigma: the same for PV.
        battery_factors: capacity and power are those of the home's battery times one of these, drawn with equal chance.

    Returns:
        A Scenario.

    Raises:
        InputError: for an argument out of its range.
        NotEnoughMemoryError: where the map of days would not fit.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> scenario = resample(sample_data(), 146, seed=1)
        >>> scenario.n_homes, scenario.day_of.shape
        (146, (365, 146))
    """
    n = integer("n_homes", n_homes, low=1)
    season_days = integer("season_days", season_days, low=0, high=182)
    load_sigma = real("load_sigma", load_sigma, low=0, high=3)
    pv_sigma = real("pv_sigma", pv_sigma, low=0, high=3)
    factors = np.array([real("battery_factors", value, low=0, high=100) for value in battery_factors])
    if len(factors) == 0:
        raise InputError("battery_factors must hold at least one number")
    pool = np.arange(data.n_homes) if homes is None else scenario_of(data).select(homes).home
    days, candidates, count = _n_days(data), *_similar_days(data, season_days)
    memory.require(16 * n * days, f"the days of {n} homes", "make fewer homes")
    home = pool[generator(seed, "resample home").integers(len(pool), size=n)]
    factor = factors[generator(seed, "resample battery").integers(len(factors), size=n)]
    share = generator(seed, "resample day").random((n, days), np.float32)  # a home's draws lie together: see seed
    place = np.minimum((share * count).astype(np.int64), count - 1)
    return Scenario(
        data,
        home,
        np.exp(load_sigma * generator(seed, "resample load").standard_normal(n)).astype(np.float32),
        np.exp(pv_sigma * generator(seed, "resample pv").standard_normal(n)).astype(np.float32),
        data.battery_kwh[home] * factor,
        data.battery_kw[home] * factor,
        np.ascontiguousarray(candidates[np.arange(days), place].T.astype(np.int32)),
    )


def _n_days(data: GridData) -> int:
    """Days of the data, the first and last perhaps not whole."""
    return (data.n_hours + int(data.hour[0]) + 23) // 24


def _full_days(data: GridData) -> tuple[int, int]:
    """The first and the last day of which the data have all hours."""
    first = 0 if data.hour[0] == 0 else 1
    last = (data.n_hours + int(data.hour[0])) // 24 - 1
    if last < first:
        raise InputError("data must have at least one whole day, midnight to midnight")
    return first, last


def _similar_days(data: GridData, season_days: int) -> tuple[Indices, Indices]:
    """For each day, the whole days near in season that are of the same kind (days, most), and how many there are. Of a
    year of data the end is next to the beginning. A day without such a day takes the nearest whole one."""
    days = _n_days(data)
    first, last = _full_days(data)
    row = np.clip(np.arange(days) * 24 - int(data.hour[0]), 0, data.n_hours - 1)
    kind = np.maximum(data.weekday[row].astype(np.int64), 4)  # working day, Saturday, Sunday
    whole = np.arange(first, last + 1)
    apart = np.abs(np.arange(days)[:, None] - whole)
    if days in YEAR_DAYS:
        apart = np.minimum(apart, len(whole) - apart % len(whole))
    fits = (apart <= season_days) & (kind[:, None] == kind[whole])
    none = ~fits.any(axis=1)
    fits[none, apart[none].argmin(axis=1)] = True
    count = fits.sum(axis=1)
    found = np.zeros((days, int(count.max())), np.int64)
    found[np.arange(found.shape[1]) < count[:, None]] = whole[np.nonzero(fits)[1]]
    return found, count
