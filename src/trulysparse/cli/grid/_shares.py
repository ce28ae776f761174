"""From what a run gave by hour and home to what reports show: costs, savings, days of a home, the grid's hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.cli.grid._controls import SCALES, kind_of
from trulysparse.report.feeder_map import FeederMap
from trulysparse.report.grid_run import BOUND, SEEN, UNSEEN, Control, GridHours, HomeWeek, Share

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = 168
_LEAST_GAIN = 1e-9  # $: a bound that saves less saves nothing


class Scale:
    """By what costs are measured: no control, and the bound.

    Args:
        none: the outcome without control.
        bounds: outcomes of perfect foresight by name; none of them: shares of saving are not known.
        split: which homes and hours are learned from.

    Attributes:
        none, split: as given.
        bound: the outcome by which savings are measured, or None.
    """

    def __init__(self, none: Any, bounds: Mapping[str, Any], split: Any) -> None:
        self.none, self.split = none, split
        self.bound = next((bounds[name] for name in SCALES[self.together] if name in bounds), None)

    @property
    def together(self) -> bool:
        """Whether the homes are a community, whose sum counts."""
        return self.none.market is not None

    def cost(self, outcome: Any, homes: Any = None, hours: Any = None) -> float:
        """$ of some homes in some hours."""
        cost = outcome.community_cost if self.together else outcome.cost
        return float(cost(homes, hours))

    def share(self, outcome: Any, homes: Any = None, hours: Any = None) -> Share:
        """What a control came to in some homes and hours; NaN of one that ended before the others, or of a bound that
        has no homes of its own."""
        nan = float("nan")
        if outcome.n_hours != self.none.n_hours or (homes is not None and outcome.n_homes != self.none.n_homes):
            return Share(nan, nan)
        none, own = self.cost(self.none, homes, hours), self.cost(outcome, homes, hours)
        ratio = own / none if abs(none) > _LEAST_GAIN else nan
        if self.bound is None or (homes is not None and self.bound.n_homes != self.none.n_homes):
            return Share(ratio, nan)
        gain = none - self.cost(self.bound, homes, hours)
        return Share(ratio, (none - own) / gain if abs(gain) > _LEAST_GAIN else nan)

    def parts(self, outcome: Any) -> dict[tuple[str, str], Share]:
        """By homes and weeks, learned from or not; those of which there are any."""
        split, hours = self.split, np.asarray(self.split.test_hours)[: self.none.n_hours]
        homes = {SEEN: split.train_homes, UNSEEN: split.test_homes}
        weeks = {SEEN: ~hours, UNSEEN: hours}
        return {
            (home, week): self.share(outcome, homes[home] if len(split.test_homes) else None, weeks[week])
            for home in homes
            for week in weeks
            if len(homes[home]) and weeks[week].any()
        }

    def control(self, name: str, kind: str, outcomes: Sequence[Any], *, oracle: bool = False) -> Control:
        """What a control came to.

        Args:
            name: of it.
            kind: see grid_run.
            outcomes: of each seed, at least one.
            oracle: whether it knows the future.
        """
        whole = [self.share(each) for each in outcomes]
        parts = [self.parts(each) for each in outcomes]
        savings = [share.saving for share in whole]
        return Control(
            name=name,
            kind=kind,
            cost=float(np.mean([self.cost(each) for each in outcomes])),
            whole=_mean(whole),
            parts={part: _mean([each[part] for each in parts]) for part in parts[0]},
            lowest=min(savings) if len(outcomes) > 1 else None,
            highest=max(savings) if len(outcomes) > 1 else None,
            oracle=oracle,
            figures=_mean_figures([figures(each) for each in outcomes]),
        )

    def rule(self, outcome: Any) -> Control:
        """What a rule came to, or a bound."""
        kind = kind_of(outcome)
        return self.control(outcome.label, kind, [outcome], oracle=kind == BOUND)


def _mean(shares: Sequence[Share]) -> Share:
    return Share(float(np.mean([each.ratio for each in shares])), float(np.mean([each.saving for each in shares])))


def _mean_figures(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def figures(outcome: Any) -> dict[str, float]:
    """What else is said of an outcome, by names with units."""
    peaks = outcome.peaks()
    found = {"peak import, kW": peaks["import"], "peak export, kW": peaks["export"], "CO2, kg": outcome.emissions()}
    if outcome.pv is not None and outcome.n_homes == outcome.pv.shape[1]:
        consumption, sufficiency = outcome.self_consumption()
        found |= {"self-consumption, %": 100 * consumption, "self-sufficiency, %": 100 * sufficiency}
    if outcome.curtailed_kwh is not None and np.any(outcome.curtailed_kwh):
        found["PV curtailed, kWh"] = float(np.sum(outcome.curtailed_kwh))
    return found


def home_week(outcome: Any, name: str, home: int, first: int, battery_kwh: NDArray[Any], weekday: Any) -> HomeWeek:
    """A week of a home.

    Args:
        outcome: with load, PV and charge of every hour.
        name: of the control.
        home: its number.
        first: hour at which the week begins.
        battery_kwh: (H,), of each home.
        weekday: (T,), 0 = Monday, of each hour.
    """
    rows = slice(first, min(first + _WEEK, outcome.n_hours))
    hour = int(outcome.hour[first])
    n_days = -(-(rows.stop - first + hour) // 24)
    start = int(weekday[first])
    price = outcome.price if outcome.price.ndim == 1 else outcome.price[:, _kind(outcome, home)]
    return HomeWeek(
        home=outcome.names[home] if outcome.names else f"home {home + 1}",
        control=name,
        days=[_DAYS[(start + day) % 7] for day in range(n_days)],
        first_hour=hour,
        load=outcome.load[rows, home],
        pv=outcome.pv[rows, home],
        net=outcome.net[rows, home],
        charge=outcome.charge[rows, home] * float(battery_kwh[home]),
        price=price[rows],
    )


def _kind(outcome: Any, home: int) -> int:
    """The column of a home's prices."""
    if outcome.kind is not None:
        return int(outcome.kind[home])
    return home if outcome.price.shape[1] == outcome.n_homes else 0


def chosen_home(split: Any, none: Any, battery_kwh: NDArray[Any]) -> int:
    """The home that is drawn: with battery and PV, unseen where there are such, not flagged, of the median load."""
    candidates = list(split.test_homes) or list(split.train_homes)
    whole = [home for home in candidates if battery_kwh[home] > 0 and home not in split.flagged]
    if none.pv is not None:
        whole = [home for home in whole if none.pv[:, home].any()] or whole
    whole = whole or candidates
    load = none.net[:, whole].mean(axis=0)
    return int(whole[int(np.argsort(load, kind="stable")[len(whole) // 2])])


def chosen_week(split: Any, n_hours: int) -> int:
    """The hour at which the week that is drawn begins: the first that is held out, or the first of all."""
    weeks = [int(hour) for hour in split.test_weeks if hour + _WEEK <= n_hours]
    return weeks[0] if weeks else 0


def grid_hours(outcome: Any, name: str) -> GridHours | None:
    """What the grid saw; None without a feeder."""
    if outcome.transformer is None or outcome.voltage is None:
        return None
    return GridHours(
        control=name,
        transformer=np.max(np.atleast_2d(outcome.transformer.T), axis=0),
        lowest=outcome.voltage[0],
        highest=outcome.voltage[1],
        line=np.zeros(0) if outcome.line is None else outcome.line,
    )


def feeder_voltages(outcome: Any, feeder: Any) -> FeederMap | None:
    """The feeder with the voltages of its homes; of several alike the one with the voltage farthest from nominal.

    Args:
        outcome: of homes at one feeder, or at several alike, one after the other.
        feeder: of each.
    """
    if outcome.home_voltage is None:
        return None
    voltage = np.asarray(outcome.home_voltage, np.float64).reshape(2, -1, feeder.n_homes)
    worst = int(np.abs(voltage - 1).max(axis=(0, 2)).argmax())
    low, high = np.full(feeder.n_buses, np.inf), np.full(feeder.n_buses, -np.inf)
    np.minimum.at(low, feeder.home_bus, voltage[0, worst])
    np.maximum.at(high, feeder.home_bus, voltage[1, worst])
    homes: dict[int, list[str]] = {}
    for home, bus in enumerate(feeder.home_bus.tolist()):
        homes.setdefault(bus, []).append(str(home + 1 + worst * feeder.n_homes))
    return FeederMap(
        parent=feeder.parent,
        length=np.array([0.0, *(line.length_m for line in feeder.lines)]),
        low=np.where(np.isfinite(low), low, np.nan),
        high=np.where(np.isfinite(high), high, np.nan),
        names=[
            f"{bus}, home {' and '.join(homes[k])}" if k in homes else str(bus) for k, bus in enumerate(feeder.buses)
        ],
    )
