"""Rules of a few lines that every report shows: no control, self-consumption, and time-of-use rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.observation import hours_to_next_peak

Array = NDArray[np.float64]

_ONE_WAY = 0.93  # efficiency of charging, about


class Rule(ABC):
    """What decides for all homes of an environment, an hour at a time: the base of rules and bounds.

    A rule of one's own overrides `step`, or, of those here, `behaviour`.

    Attributes:
        label: what reports call it.
        information: the mode of the environment that the rule is for: "follow" or "setpoint"; None: it asks batteries
            in kWh, the same in any mode.
        foresight: whether it knows what no home can know: a bound, not a policy.

    Example:
        >>> from trulysparse import grid
        >>> environment = grid.GridEnvironment(grid.sample_data(), n_hours=24)
        >>> observations = environment.reset()
        >>> rule = SelfConsumption()
        >>> rule.start(environment)
        >>> rule.step(environment).balance.shape
        (6,)
    """

    label = "rule"
    information: str | None = None
    foresight = False

    def start(self, environment: Any) -> None:
        """Prepares for an environment that has been reset: InputError where the rule is not for it."""
        if self.information is not None and environment.information != self.information:
            raise InputError(
                f"rule '{self.label}' is for information='{self.information}', not '{environment.information}'"
            )

    @abstractmethod
    def step(self, environment: Any) -> Any:
        """Takes the environment one hour further: a Step."""


class NoControl(Rule):
    """Batteries stay as they are.

    Example:
        >>> NoControl().label
        'no control'
    """

    label = "no control"

    def step(self, environment: Any) -> Any:
        """An hour with idle batteries."""
        return environment.step(None)


class BasicRBC(Rule):
    """CityLearn's basic rule: charges by .091 of the battery's power in the hours that it labels 22 to 8, discharges by
    .08 in the others, whatever load and PV do. It costs more than no battery.

    Source: CityLearn 3.0.2, `BasicRBC`.

    Example:
        >>> BasicRBC().label
        "CityLearn's BasicRBC"
    """

    label = "CityLearn's BasicRBC"

    def step(self, environment: Any) -> Any:
        """An hour."""
        label = environment.data.hour[environment.t] + 1  # 1 to 24
        share = np.where((label >= 9) & (label <= 21), -0.08, 0.091)
        return environment.settle(share * environment.batteries.power_kw)


class SelfConsumption(Rule):
    """PV that is not used is stored, and stored energy serves the home as soon as it lacks any.

    Example:
        >>> SelfConsumption().information
        'follow'
    """

    label = "self-consumption"
    information: str | None = "follow"

    def behaviour(self, environment: Any) -> Array:
        """u of each home in the hour, see Actions: -1 gives what the home lacks, 1 fills the battery from the grid."""
        return np.full(environment.n_homes, -1.0)

    def start(self, environment: Any) -> None:
        """Prepares the action."""
        super().start(environment)
        self._action = np.tile(environment.start_actions, (environment.n_homes, 1))

    def step(self, environment: Any) -> Any:
        """An hour."""
        self._action[:, 0] = self.behaviour(environment)
        return environment.step(self._action)


class LateSelfConsumption(Rule):
    """Self-consumption that does not know the hour: the battery is set to the home's net load of the hour before.

    Example:
        >>> LateSelfConsumption().information
        'setpoint'
    """

    label, information = "self-consumption, an hour late", "setpoint"

    def start(self, environment: Any) -> None:
        """Nothing is known of the hour before the first."""
        super().start(environment)
        self._need = np.zeros(environment.n_homes)
        power = environment.batteries.power_kw
        self._per_kw = np.divide(1.0, power, out=np.zeros(environment.n_homes), where=power > 0)
        self._action = np.tile(environment.start_actions, (environment.n_homes, 1))

    def step(self, environment: Any) -> Any:
        """An hour."""
        self._action[:, 0] = np.clip(-self._need * self._per_kw, -1, 1)
        step = environment.step(self._action)
        np.subtract(step.net, step.balance, out=self._need)
        return step


class TimeOfUse(SelfConsumption):
    """Stores PV, and gives it back in hours of peak price alone.

    Example:
        >>> TimeOfUse().label
        'time-of-use'
    """

    label = "time-of-use"

    def start(self, environment: Any) -> None:
        """Looks up when prices are at their peak."""
        super().start(environment)
        tariff = environment.tariff
        self._to_peak, self._kind = hours_to_next_peak(tariff), 0 if tariff.kind is None else tariff.kind

    def to_peak(self, environment: Any) -> Array:
        """Hours until the next hour of peak price, 0 in one, at most 24: one number, or one a home."""
        return np.asarray(self._to_peak[environment.t, self._kind])

    def behaviour(self, environment: Any) -> Array:
        """-1 in peak hours, else 0."""
        return np.where(self.to_peak(environment) == 0, -1.0, 0.0)


class TimeOfUseFill(TimeOfUse):
    """Stores PV, fills the battery from the grid in the last hours before the peak price, and gives in the peak and at
    night. In the morning it waits, so that there is less to fill.

    Args:
        fill_hours: how many hours before the peak filling begins, 1 to 12; of a pair (low, high) each home draws a
            number of its own, so that homes do not fill all at once.
        hold_hours: in how many hours before the peak nothing is given back; fewer than fill_hours: none.
        spread: whether filling takes all the hours that are left to the peak, by what the battery lacks; else it draws
            all the power it may from the first hour on.
        most_kw: the power at which batteries are filled from the grid, kW; None: all they have.
        seed: of the draw.

    Raises:
        InputError: hours outside 1 to 12 or 24, or a power that is not above 0.

    Example:
        >>> TimeOfUseFill().label, TimeOfUseFill((2, 6)).label
        ('time-of-use, fill', 'time-of-use, fill, random hours')
    """

    def __init__(
        self,
        fill_hours: int | tuple[int, int] = 2,
        hold_hours: int = 6,
        spread: bool = False,
        most_kw: float | None = None,
        seed: int = 0,
    ) -> None:
        pair = fill_hours if isinstance(fill_hours, tuple) and len(fill_hours) == 2 else (fill_hours, fill_hours)
        low, high = (checks.integer("fill_hours", hours, low=1, high=12) for hours in pair)
        self.fill_hours = low, checks.integer("fill_hours", high, low=low)
        self.hold_hours = checks.integer("hold_hours", hold_hours, low=0, high=24)
        self.spread = checks.flag("spread", spread)
        self.most_kw = most_kw if most_kw is None else checks.real("most_kw", most_kw, low=0, low_open=True)
        self.seed = checks.integer("seed", seed, low=0)
        self.label = "time-of-use, fill" + ", spread" * self.spread + ", random hours" * (low < high)
        self.label += f", {most_kw:g} kW" if most_kw is not None else ""

    def start(self, environment: Any) -> None:
        """Draws each home's hours."""
        super().start(environment)
        low, high = self.fill_hours
        self._fill = np.random.default_rng(self.seed).integers(low, high + 1, environment.n_homes)
        power, capacity = environment.batteries.power_kw, environment.batteries.capacity_kwh
        self._most = np.ones(environment.n_homes)
        if self.most_kw is not None:
            np.divide(self.most_kw, power, out=self._most, where=power > self.most_kw)
        self._hours_to_fill = np.divide(capacity, _ONE_WAY * power, out=np.zeros(environment.n_homes), where=power > 0)

    def behaviour(self, environment: Any) -> Array:
        """-1 in peak hours and at night, 0 while it waits, above 0 while it fills."""
        ahead = self.to_peak(environment)
        waiting = np.where(ahead > self.hold_hours, -1.0, 0.0)
        filling = self._most
        if self.spread:
            lacking = (1 - environment.batteries.charge) * self._hours_to_fill
            filling = np.minimum(lacking / np.maximum(ahead, 1), filling)
        return np.where(ahead == 0, -1.0, np.where(ahead <= self._fill, filling, waiting))


class Requests(Rule):
    """Asks batteries for what was planned beforehand, hour after hour.

    Args:
        requests: kWh at the meter, (T, H), positive = charging.
        label: what reports call it.

    Raises:
        InputError: where it is not of the environment's homes and hours (by `start`).

    Example:
        >>> import numpy as np
        >>> Requests(np.zeros((24, 6)), "nothing").foresight
        True
    """

    foresight = True

    def __init__(self, requests: NDArray[np.floating[Any]], label: str = "plan") -> None:
        self.requests, self.label = np.asarray(requests), label

    def start(self, environment: Any) -> None:
        """Checks the plan's shape."""
        super().start(environment)
        wanted = (environment.n_hours, environment.n_homes)
        if self.requests.shape != wanted:
            raise InputError(
                f"requests must be of shape {wanted}, the environment's hours and homes, not {self.requests.shape}"
            )

    def step(self, environment: Any) -> Any:
        """An hour of the plan."""
        return environment.settle(self.requests[environment.step_number])
