"""Dynamic programming over levels of a battery's charge: what each change costs at the meter, and the recursion
backward in time, of many homes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse.grid.battery import Batteries

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

_SAMPLES = 801  # requests per direction from which a change's balance is interpolated


class Levels:
    """The levels of one size of battery and the energy at the meter from each to each.

    Args:
        capacity_kwh: of the battery, above 0.
        power_kw: of its inverter, above 0.
        n_levels: how many, from empty to full, at least 2.

    Example:
        >>> levels = Levels(6.4, 5.0, 65)
        >>> levels.balance.shape, bool(levels.balance[0, 64] == float("inf"))  # not within an hour
        ((65, 65), True)
        >>> round(float(levels.balance[10, 20]), 2), round(float(levels.balance[20, 10]), 2)
        (1.1, -0.91)
    """

    def __init__(self, capacity_kwh: float, power_kw: float, n_levels: int) -> None:
        self.capacity_kwh, self.power_kw, self.n_levels = capacity_kwh, power_kw, n_levels
        self.energy_kwh: Array = np.linspace(0.0, capacity_kwh, n_levels)
        self.balance: Array32 = self._balances().astype(np.float32)
        # A price of 0 times an infinite balance would be no number: apart, for prices that are not all above 0.
        reachable = np.isfinite(self.balance)
        self._reached = np.where(reachable, self.balance, np.float32(0.0))
        self._barrier = np.where(reachable, np.float32(0.0), np.float32(np.inf))

    def _balances(self) -> Array:
        """kWh at the meter from level to level, (L, L); infinite where an hour does not suffice."""
        amounts = np.linspace(0.0, self.power_kw, _SAMPLES)
        balances = np.full((self.n_levels, self.n_levels), np.inf)
        sizes = np.full((self.n_levels, _SAMPLES), self.capacity_kwh)
        for sign in (1.0, -1.0):
            batteries = Batteries(
                sizes, self.power_kw, (self.energy_kwh / self.capacity_kwh)[:, None] + np.zeros(_SAMPLES)
            )
            meter = batteries.step(sign * np.broadcast_to(amounts, sizes.shape))
            for start, (ends, kwh) in enumerate(zip(batteries.energy_kwh, meter, strict=True)):
                slack = 1e-9 * self.capacity_kwh
                there = sign * (self.energy_kwh - self.energy_kwh[start]) >= 0
                there &= sign * (self.energy_kwh - ends[-1]) <= slack
                balances[start, there] = sign * np.interp(sign * self.energy_kwh[there], sign * ends, np.abs(kwh))
        np.fill_diagonal(balances, 0.0)
        return balances

    def values(
        self,
        need: Array32,
        price: Array32,
        export_price: Array32 | None,
        end_value: float = 0.0,
        out: Array32 | None = None,
    ) -> Array32:
        """The least cost from each hour's beginning to the end, by charge at that moment.

        Args:
            need: load minus PV, (n, H), kWh.
            price: of import, $/kWh, (n, H) or (n, 1).
            export_price: likewise, at most price; None where export earns nothing.
            end_value: $ per stored kWh at the end.
            out: memory to write into.

        Returns:
            $, (n + 1, H, L), in each hour and home relative to the least over the levels: float32 would not hold
            differences of cents beside a year's cost.
        """
        hours, homes = need.shape
        values = np.empty((hours + 1, homes, self.n_levels), np.float32) if out is None else out
        values[hours] = -end_value * self.energy_kwh
        costs = np.empty((homes, self.n_levels, self.n_levels), np.float32)
        plain = export_price is None and bool((price > 0).all())
        earned = None if plain else np.empty_like(costs)
        export = np.zeros_like(price) if export_price is None else export_price
        for t in range(hours - 1, -1, -1):
            if earned is None:
                np.add(self.balance, need[t, :, None, None], out=costs)
                np.maximum(costs, 0.0, out=costs)
                costs *= price[t, :, None, None]
            else:
                np.add(self._reached, need[t, :, None, None], out=costs)
                np.multiply(costs, export[t, :, None, None], out=earned)
                costs *= price[t, :, None, None]
                np.maximum(costs, earned, out=costs)
                costs += self._barrier
            costs += values[t + 1][:, None, :]
            best = costs.min(2)
            np.subtract(best, best.min(1, keepdims=True), out=values[t])
        return values

    def value_at(self, values: Array32, energy_kwh: Array) -> Array:
        """`values` of one hour, (H, L), at stored energies between levels, (..., H), by straight lines."""
        place = energy_kwh * ((self.n_levels - 1) / self.capacity_kwh)
        below = np.minimum(place.astype(np.intp), self.n_levels - 2)
        share = place - below
        homes = np.arange(values.shape[0])
        lower, upper = values[homes, below], values[homes, below + 1]
        mixed: Array = lower + share * (upper - lower)
        return mixed
