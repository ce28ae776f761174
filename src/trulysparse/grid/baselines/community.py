"""Rules for a community that nets: batteries that serve the sum of its homes, known at once or an hour late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.baselines.rules import TimeOfUseFill

Array = NDArray[np.float64]

_LAST = 2  # hours at the end of a peak in which what is stored is given away faster


class CommunityFill(TimeOfUseFill):
    """TimeOfUseFill that, in hours of peak price, gives beyond the home's own need what the community imported in the
    hour before: the one number that is broadcast each hour.

    All homes give the same share x of their power beyond their need. After each hour of the peak, x grows by a gain
    times the community's import (or falls with its export) divided by the power of all its batteries: one gain for
    import, a higher one for the peak's last two hours, after which stored energy is worth less, and one for export.
    Homes whose batteries are empty give nothing.

    Args:
        gain: for import.
        last_gain: for import in the last two hours of the peak.
        export_gain: for export.
        fill_hours: as in TimeOfUseFill.
        hold_hours: likewise.

    Raises:
        InputError: a negative gain; by `start`, an environment without market or without broadcast.

    Example:
        >>> from trulysparse import grid
        >>> environment = grid.GridEnvironment(grid.sample_data(), market="netting", broadcast=True, n_hours=240)
        >>> rule, alone = (grid.run(environment, rule) for rule in (CommunityFill(), grid.TimeOfUseFill(spread=True)))
        >>> rule.community_cost() < alone.community_cost()
        True
    """

    def __init__(
        self,
        gain: float = 0.5,
        last_gain: float = 3.0,
        export_gain: float = 0.5,
        fill_hours: int = 2,
        hold_hours: int = 5,
    ) -> None:
        super().__init__(fill_hours, hold_hours, spread=True)
        self.gains = [
            checks.real(name, value, low=0)
            for name, value in (("gain", gain), ("last_gain", last_gain), ("export_gain", export_gain))
        ]
        self.label = "time-of-use, fill, community an hour late"

    def start(self, environment: Any) -> None:
        """Nothing has been heard yet."""
        super().start(environment)
        if environment.broadcast != "community" or "exchange" not in environment.action_names:
            raise InputError(f"rule '{self.label}' needs an environment with a market and broadcast='community'")
        self._exchange = environment.action_names.index("exchange")
        power = environment.batteries.power_kw.reshape(environment.groups, -1).sum(1)
        self._per_kw = np.divide(1.0, power, out=np.zeros(len(power)), where=power > 0)
        self._given = np.zeros(environment.n_homes)
        self._was_peak = np.zeros(environment.n_homes, np.bool_)
        peak = self._to_peak == 0
        left = np.zeros(peak.shape)  # hours of peak price from each hour on
        for hour in range(len(peak) - 1, -1, -1):
            left[hour] = np.where(peak[hour], (left[hour + 1] if hour + 1 < len(peak) else 0) + 1, 0)
        self._left = left

    def behaviour(self, environment: Any) -> Array:
        """u as in TimeOfUseFill; sets what is given beyond the home's need."""
        left = np.broadcast_to(self._left[environment.t, self._kind], self._given.shape)
        heard = environment.community_sum * self._per_kw
        heard = np.repeat(heard, environment.n_homes // environment.groups)
        gain, last, export = self.gains
        change = heard * np.where(heard < 0, export, np.where(left <= _LAST, last, gain))
        # In its first hour a peak's own imports are not known: what was heard is of the filling before it.
        self._given = np.where((left > 0) & self._was_peak, np.clip(self._given + change, 0, 1), 0.0)
        self._was_peak = left > 0
        self._action[:, self._exchange] = -self._given
        return super().behaviour(environment)


class CommunitySum(TimeOfUseFill):
    """All batteries together store what the community has too much and serve what it lacks, in the hour itself, each in
    proportion to its power; before the peak they fill, as in TimeOfUseFill. It knows all homes' load and PV beforehand.

    Args:
        fill_hours: as in TimeOfUseFill.
        hold_hours: likewise.

    Example:
        >>> CommunitySum().label
        "rule on the community's sum, hour known"
    """

    information, foresight = None, True

    def __init__(self, fill_hours: int = 2, hold_hours: int = 0) -> None:
        super().__init__(fill_hours, hold_hours, spread=True)
        self.label = "rule on the community's sum, hour known"

    def step(self, environment: Any) -> Any:
        """An hour."""
        load, pv = environment.scenario.load_pv(environment.t)
        power = environment.batteries.power_kw
        groups = environment.groups
        total = np.subtract(load, pv, dtype=np.float64).reshape(groups, -1).sum(1)
        of_all = power.reshape(groups, -1).sum(1)
        per_kw = np.divide(total, of_all, out=np.zeros(groups), where=of_all > 0)
        need = np.repeat(per_kw, len(power) // groups) * power
        u = self.behaviour(environment)
        asked = np.maximum(-need, 0) + np.where(u < 0, u * np.maximum(need, 0), u * power)
        return environment.settle(asked)
