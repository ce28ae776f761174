"""Model predictive control: each hour the next day is planned on a forecast, and the first hour of it is done."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.grid.baselines.dynamic_program import hourly_cost
from trulysparse.grid.baselines.levels import Levels
from trulysparse.grid.baselines.rules import Rule
from trulysparse.grid.battery import Batteries

Array = NDArray[np.float64]

_DAYS = 7  # of which the forecast is the mean
_BEHAVIOURS = 41  # actions compared in the first hour


class PredictiveControl(Rule):
    """Certainty-equivalent control: what a home will need is taken to be the mean of the last seven days at that hour
    of day, the next hours are planned by dynamic programming as if that were certain, and of the plan one hour is
    carried out, under `follow` as a behaviour, under `setpoint` as a power.

    Args:
        horizon: hours that are planned, 1 to 24.
        known: whether load and PV of the first of them are known beforehand: then it is a bound, not a policy.
        n_levels: levels of charge, 2 to 200.

    Raises:
        InputError: where an argument is outside these.

    Source: Bertsekas, "Dynamic Programming and Optimal Control", 4th edition 2017, section 6.1 (certainty equivalence).

    Example:
        >>> from trulysparse import grid
        >>> environment = grid.GridEnvironment(grid.sample_data(), n_hours=72)
        >>> outcome = grid.run(environment, PredictiveControl(n_levels=17))
        >>> outcome.label, outcome.cost() < grid.run(environment, grid.NoControl()).cost()
        ('MPC, 24 h', True)
    """

    def __init__(self, horizon: int = 24, known: bool = False, n_levels: int = 33) -> None:
        self.horizon = checks.integer("horizon", horizon, low=1, high=24)
        self.foresight = checks.flag("known", known)
        self.n_levels = checks.integer("n_levels", n_levels, low=2, high=200)
        self.label = f"MPC, {horizon} h" + ", hour known" * known

    def start(self, environment: Any) -> None:
        """Takes the week before the first hour for its memory, as far as there is one."""
        super().start(environment)
        homes, first = environment.n_homes, environment.first_hour
        self._past = np.zeros((24 * _DAYS, homes))
        self._n_known = min(first, 24 * _DAYS)
        if self._n_known:
            load, pv = environment.scenario.window(first - self._n_known, first)
            self._past[-self._n_known :] = np.subtract(load, pv, dtype=np.float64)
        capacity, power = environment.batteries.capacity_kwh, environment.batteries.power_kw
        self._groups = []
        for size in np.unique(np.stack([capacity, power], 1), axis=0):
            if size[0] > 0:
                members = np.flatnonzero((capacity == size[0]) & (power == size[1]))
                self._groups.append((Levels(float(size[0]), float(size[1]), self.n_levels), members))
        # Requests as well as behaviours are on this grid; the last request is the one that leaves nothing to exchange.
        self._grid = np.linspace(-1.0, 1.0, _BEHAVIOURS)[:, None]
        shape = (_BEHAVIOURS + self.foresight, homes)
        self._tried = Batteries(np.broadcast_to(capacity, shape), np.broadcast_to(power, shape))
        self._action = np.tile(environment.start_actions, (homes, 1))

    def step(self, environment: Any) -> Any:
        """Plans, and does the first hour."""
        hours = min(self.horizon, environment.n_hours - environment.step_number)
        need = self.forecast()[:hours]
        if self.foresight:
            load, pv = environment.scenario.load_pv(environment.t)
            need[0] = np.subtract(load, pv, dtype=np.float64)
        best = self._plan(environment, need)
        if self.foresight:
            step = environment.settle(best)
        else:
            self._action[:, 0] = best
            step = environment.step(self._action)
        self._past[:-1] = self._past[1:]
        np.subtract(step.net, step.balance, out=self._past[-1])
        self._n_known = min(self._n_known + 1, 24 * _DAYS)
        return step

    def forecast(self) -> Array:
        """Load minus PV of the next 24 hours, (24, H): the mean of those of the last seven days that are known."""
        known = (np.arange(24 * _DAYS) >= 24 * _DAYS - self._n_known).reshape(_DAYS, 24).sum(0)
        mean: Array = self._past.reshape(_DAYS, 24, -1).sum(0) / np.maximum(known, 1)[:, None]
        return mean

    def _plan(self, environment: Any, need: Array) -> Array:
        """The best action of the first hour, or, where that is known, the best request, (H,)."""
        tariff, first = environment.tariff, environment.t
        rows = slice(first, first + len(need))
        kind = np.zeros(need.shape[1], np.int64) if tariff.kind is None else tariff.kind
        price, export = tariff.import_price[rows][:, kind], tariff.export_price[rows][:, kind]
        power, grid = environment.batteries.power_kw, self._grid
        if self.foresight:
            asked = np.vstack([grid * power, -need[0]])
        elif environment.information == "setpoint":
            asked = grid * power
        else:
            asked = np.minimum(grid, 0) * np.maximum(need[0], 0) + np.maximum(grid, 0) * power + np.maximum(-need[0], 0)
        np.copyto(self._tried.energy_kwh, environment.batteries.energy_kwh)
        np.copyto(self._tried.degraded_kwh, environment.batteries.degraded_kwh)
        costs = hourly_cost(need[0] + self._tried.step(asked), price[0], export[0])
        for levels, members in self._groups:
            later = need[1:, members], price[1:, members], export[1:, members]
            n, p, f = (array.astype(np.float32) for array in later)
            values = levels.values(n, p, f if f.any() else None)
            costs[:, members] += levels.value_at(values[0], self._tried.energy_kwh[:, members])
        best = costs.argmin(0)
        if self.foresight:
            return np.asarray(asked[best, np.arange(len(best))])
        return np.asarray(grid[best, 0])
