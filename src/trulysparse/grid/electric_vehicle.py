"""Electric vehicles of many homes, synthetic: away by day, at home by night, with kilometres to make up for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.checks import integer
from trulysparse.errors import InputError

Array = NDArray[np.float64]
Hours = int | NDArray[np.int64]

CAPACITY_KWH = 40.0
POWER_KW = 7.4
EFFICIENCY = 0.92  # of charging
ARRIVAL, ARRIVAL_SPREAD = 18.0, 1.5  # hour of day: mean and standard deviation
DEPARTURE, DEPARTURE_SPREAD = 7.5, 1.0
DAILY_KWH, DAILY_SPREAD = 7.0, 3.0  # driven a day
UNMET_PRICE = 1.0  # $/kWh that is missing at departure


class ElectricVehicles:
    """One vehicle per home, stepped by the hour together. Synthetic: these are drawn, not measured.

    Each vehicle leaves once a day and comes home once a day, at whole hours around 7:30 and 18:00, and has then used
    about 7 kWh. What it wants is to leave full; what is missing is unmet. The energy that is driven is taken from the
    battery at the return, as far as it is there. Every day's hours and energy are drawn from seed, home and day alone,
    so they are the same whatever homes do.

    Args:
        n_homes: how many, H, at least 1.
        n_days: days that are drawn; later ones repeat them from the first.
        seed: another seed draws other days.
        home: (H,) whose days each has, its own by default: copies of a home give the same number.

    Raises:
        InputError: a number that is not such an integer, or `home` of another length.

    Source: sizes and times as assumed in docs/grid.md.

    Example:
        >>> vehicles = ElectricVehicles(3, n_days=7, seed=1)
        >>> for hour in range(24):
        ...     taken = vehicles.step(np.full(3, 7.4), hour)
        >>> vehicles.unmet_kwh.tolist()
        [0.0, 0.0, 0.0]
        >>> vehicles.present.tolist()
        [True, True, True]
    """

    def __init__(self, n_homes: int, *, n_days: int = 365, seed: int = 0, home: ArrayLike | None = None) -> None:
        n_homes = integer("n_homes", n_homes, low=1)
        self.n_days = integer("n_days", n_days, low=1)
        seed = integer("seed", seed, low=0)
        self.home = np.arange(n_homes) if home is None else np.asarray(home)
        if self.home.shape != (n_homes,) or self.home.dtype.kind not in "iu" or (self.home < 0).any():
            raise InputError(f"home must hold {n_homes} integers of at least 0, not shape {self.home.shape}")
        kinds, self._kind = np.unique(self.home, return_inverse=True)
        shape = (self.n_days, len(kinds))
        self._leaves, self._returns = np.empty(shape, np.int8), np.empty(shape, np.int8)
        self._driven = np.empty(shape, np.float32)
        for column, kind in enumerate(kinds):
            rng = np.random.default_rng([seed, 2, int(kind)])
            leaves = rng.normal(DEPARTURE, DEPARTURE_SPREAD, self.n_days)
            returns = rng.normal(ARRIVAL, ARRIVAL_SPREAD, self.n_days)
            self._leaves[:, column] = np.clip(np.rint(leaves), 4, 11)
            self._returns[:, column] = np.clip(np.rint(returns), 13, 23)
            self._driven[:, column] = np.clip(rng.normal(DAILY_KWH, DAILY_SPREAD, self.n_days), 0.0, CAPACITY_KWH)
        self.energy_kwh = np.full(n_homes, CAPACITY_KWH)
        self.unmet_kwh = np.zeros(n_homes)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(H,) whether each is at home, as the last step left it; before the first, at midnight, all are."""
        return self._present(self._hour)

    _hour: Hours = 0  # the next one, counted from the first day's midnight

    def _present(self, hour: Hours) -> NDArray[np.bool_]:
        day, of_day = hour // 24, hour % 24
        leaves, returns = (each[day % self.n_days, self._kind] for each in (self._leaves, self._returns))
        there: NDArray[np.bool_] = (of_day < leaves) | (of_day >= returns)
        return there

    def observe(self, hour: Hours) -> tuple[NDArray[np.bool_], Array, Array]:
        """What a home knows at the beginning of an hour.

        Args:
            hour: counted from the first day's midnight, one for all or (H,).

        Returns:
            Whether the vehicle is there, the hours until it leaves (0 where it is not there), and the kWh that it
            lacks of being full (0 likewise), each (H,).
        """
        present = self._present(hour)
        day, of_day = hour // 24, hour % 24
        today, tomorrow = (self._leaves[each % self.n_days, self._kind].astype(np.float64) for each in (day, day + 1))
        to_go = np.where(of_day < today, today - of_day, tomorrow + 24 - of_day)
        return present, np.where(present, to_go, 0.0), np.where(present, CAPACITY_KWH - self.energy_kwh, 0.0)

    def step(self, power_kw: ArrayLike, hour: Hours) -> Array:
        """One hour of charging, after what happens at its beginning: returns and departures.

        Args:
            power_kw: (H,) or one number, power wanted at the meter, cut to 0 to 7.4 kW.
            hour: counted from the first day's midnight, one for all or (H,): homes may live in different hours.

        Returns:
            kWh taken from the meter, (H,): no more than there is room for, 0 where the vehicle is away. `unmet_kwh`
            is then what was missing at this hour's departures.
        """
        day, of_day = hour // 24, hour % 24
        leaves, returns = (each[day % self.n_days, self._kind] for each in (self._leaves, self._returns))
        self.unmet_kwh = np.where(leaves == of_day, CAPACITY_KWH - self.energy_kwh, 0.0)
        driven = np.where(returns == of_day, self._driven[day % self.n_days, self._kind], 0.0)
        np.subtract(self.energy_kwh, driven, out=self.energy_kwh)
        np.maximum(self.energy_kwh, 0.0, out=self.energy_kwh)
        there = (of_day < leaves) | (of_day >= returns)
        wanted = np.clip(np.asarray(power_kw, np.float64), 0.0, POWER_KW)
        taken = np.minimum(wanted, (CAPACITY_KWH - self.energy_kwh) / EFFICIENCY) * there
        self.energy_kwh += taken * EFFICIENCY
        np.minimum(self.energy_kwh, CAPACITY_KWH, out=self.energy_kwh)
        self._hour = hour + 1
        return np.asarray(taken, np.float64)

    def state(self) -> dict[str, Any]:
        """All that changes: the stored energy, the last departure's lack, and the next hour."""
        return {"energy_kwh": self.energy_kwh.copy(), "unmet_kwh": self.unmet_kwh.copy(), "hour": np.array(self._hour)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state() of as many vehicles."""
        arrays = [np.array(state[name], np.float64) for name in ("energy_kwh", "unmet_kwh")]
        for array in arrays:
            if array.shape != self.energy_kwh.shape:
                raise InputError(f"state is of {array.shape} vehicles, these are {self.energy_kwh.shape}")
        self.energy_kwh, self.unmet_kwh = arrays
        hour = np.array(state["hour"], np.int64)
        self._hour = hour if hour.ndim else int(hour)
