"""What a run of a grid gave, by hour and home: costs, saving shares, energy, peaks, limits of the grid."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import type_name
from trulysparse.errors import InputError
from trulysparse.grid.rows import indices, parts
from trulysparse.io.tensors import TYPES, Tensor, opened, write_tensors

Array = NDArray[Any]
_ENTRY, _VERSIONS = "trulysparse.grid.outcome", (1,)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run of T hours with H homes gave.

    Args:
        label: what acted, such as "self-consumption" or "td3".
        information: what was known: "follow", "setpoint", or "foresight" for a bound. Outcomes of different ones are
            not comparable as policies, only as bounds.
        tariff: name of the tariff.
        net: energy through each home's meter, (T, H), kWh of the hour, positive = import, without what is shared.
        price: price of import, $/kWh, (T,), or (T, K) for K kinds of customers.
        export_price: what export earns, $/kWh, of the same shape.
        carbon: kg CO2 per kWh of import, (T,).
        hour: the hour of day in which each hour begins, 0 to 23, (T,).
        month: month of each hour, 1 to 12, (T,).
        first_hour: row of the data at which the run began; splits by week count from row 0.
        load: (T, H), kWh, or None where the run kept totals only.
        pv: what PV gave after curtailment, (T, H), kWh, or None.
        charge: stored energy at each hour's end, share of the capacity, (T, H), or None.
        clipped_kwh: what was asked of batteries and not done, (H,), kWh.
        curtailed_kwh: PV energy that was not let through, (H,), kWh.
        stored_kwh: stored energy at start and end, (2, H), kWh.
        market: how the community settles: None, "netting" or "mid-market".
        peak_fee: $ per kW of each home's highest import of a month.
        voltage: lowest and highest of all homes in each hour, (2, T), per unit, or None without feeder.
        home_voltage: lowest and highest of all hours for each home, (2, H), per unit, or None.
        transformer: loading of each feeder's transformer, (T, feeders), share of the rated power, or None.
        line: highest loading of any line in each hour, (T,), share of the rated current, or None.
        names: of the homes.
        kind: of each home, (H,), 0 to K - 1, or None where all pay the same.
        details: anything else that is worth keeping with a run, of JSON's types.

    Raises:
        InputError: shapes that do not fit each other.

    Example:
        >>> import numpy as np
        >>> net = np.array([[1.0, -2.0], [3.0, 0.5]], np.float32)
        >>> run = Outcome("none", "follow", "tou", net, price=np.array([0.2, 0.5]), export_price=np.zeros(2),
        ...     carbon=np.full(2, 0.15), hour=np.array([0, 1]), month=np.array([1, 1]))
        >>> round(run.cost(), 3), round(run.cost(homes=[1]), 3), round(run.community_cost(), 3)
        (1.95, 0.25, 1.75)
    """

    label: str
    information: str
    tariff: str
    net: NDArray[np.float32]
    price: NDArray[np.float64]
    export_price: NDArray[np.float64]
    carbon: NDArray[np.float64]
    hour: Array
    month: Array
    first_hour: int = 0
    load: NDArray[np.float32] | None = None
    pv: NDArray[np.float32] | None = None
    charge: NDArray[np.float32] | None = None
    clipped_kwh: NDArray[np.float64] | None = None
    curtailed_kwh: NDArray[np.float64] | None = None
    stored_kwh: NDArray[np.float64] | None = None
    market: str | None = None
    peak_fee: float = 0.0
    voltage: NDArray[np.float32] | None = None
    home_voltage: NDArray[np.float32] | None = None
    transformer: NDArray[np.float32] | None = None
    line: NDArray[np.float32] | None = None
    names: tuple[str, ...] = ()
    kind: NDArray[np.int64] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.net.ndim != 2 or not self.net.size:
            raise InputError(f"net must be of shape (hours, homes), not {self.net.shape}")
        (T, H), K = self.net.shape, 1 if self.kind is None else int(self.kind.max()) + 1
        allowed = {
            "price": ((T,), (T, K)), "export_price": ((T,), (T, K)), "carbon": ((T,),), "hour": ((T,),),
            "month": ((T,),), "load": ((T, H),), "pv": ((T, H),), "charge": ((T, H),), "clipped_kwh": ((H,),),
            "curtailed_kwh": ((H,),), "stored_kwh": ((2, H),), "voltage": ((2, T),), "home_voltage": ((2, H),),
            "line": ((T,),), "kind": ((H,),),
        }  # fmt: skip
        for name, shapes in allowed.items():
            array = getattr(self, name)
            if array is not None and array.shape not in shapes:
                raise InputError(f"{name} must be of shape {' or '.join(map(str, shapes))}, not {array.shape}")
        if self.price.shape != self.export_price.shape:
            raise InputError(f"export_price must be of price's shape {self.price.shape}, not {self.export_price.shape}")
        if self.names and len(self.names) != H:
            raise InputError(f"names must be of {H} homes like net, not of {len(self.names)}")

    @property
    def n_hours(self) -> int:
        """Hours of the run."""
        return int(self.net.shape[0])

    @property
    def n_homes(self) -> int:
        """Homes of the run."""
        return int(self.net.shape[1])

    def home_costs(self, homes: ArrayLike | None = None, hours: ArrayLike | None = None) -> NDArray[np.float64]:
        """What each home pays without sharing: import minus export, and what its monthly peaks rise to within `hours`.

        Args:
            homes: indices or a mask of the homes; None for all.
            hours: indices or a mask of the hours; None for all.

        Returns:
            $, of each of these homes.
        """
        rows, columns = self.chosen(homes, hours)
        total: NDArray[np.float64] = np.zeros(len(columns))
        for part in parts(rows, columns):
            net = self.net[np.ix_(part, columns)].astype(np.float64)
            price, export = self.prices(part, columns)
            total += np.where(net > 0, net * price, net * export).sum(0)
        if self.peak_fee:
            total += self.peak_fee * self._peak_rises(rows, columns)
        return total

    def cost(self, homes: ArrayLike | None = None, hours: ArrayLike | None = None) -> float:
        """The sum of `home_costs`, $; a ratio of sums, not the mean of the homes' ratios, is what reports show."""
        return float(self.home_costs(homes, hours).sum())

    def community_cost(self, homes: ArrayLike | None = None, hours: ArrayLike | None = None) -> float:
        """What these homes pay together where what one exports serves the others first, $; how they share it, by
        netting or at the mid-market rate, does not change the sum."""
        rows, columns = self.chosen(homes, hours)
        total = 0.0
        for part in parts(rows, columns):
            together = self.net[np.ix_(part, columns)].sum(1, dtype=np.float64)
            price, export = self.prices(part, columns)
            if np.ptp(price, 1).any() or np.ptp(export, 1).any():
                raise InputError("community_cost needs one tariff for all homes: these pay different prices")
            total += float(np.where(together > 0, together * price[:, 0], together * export[:, 0]).sum())
        return total

    def saving_share(
        self, no_control: Outcome, bound: Outcome, homes: ArrayLike | None = None, hours: ArrayLike | None = None
    ) -> float:
        """(C0 - C) / (C0 - C_bound): 0 as without control, 1 as the bound; below 0 where control costs money.

        Args:
            no_control: the same homes and hours without batteries in use.
            bound: the same with perfect foresight.
            homes: as in `home_costs`.
            hours: as in `home_costs`.

        Returns:
            The share; nan where the bound saves nothing.

        Raises:
            InputError: where the outcomes are of other hours, homes or tariffs, or one is of 'follow' and another of
                'setpoint'.
        """
        for name, other in (("no_control", no_control), ("bound", bound)):
            self.require_same(name, other)
        none, own, best = (run.cost(homes, hours) for run in (no_control, self, bound))
        return (none - own) / (none - best) if none != best else float("nan")

    def community_saving_share(self, no_control: Outcome, bound: Outcome, hours: ArrayLike | None = None) -> float:
        """`saving_share` of what all homes pay together, with a pooled bound."""
        for name, other in (("no_control", no_control), ("bound", bound)):
            self.require_same(name, other, pooled=True)
        none, own, best = (run.community_cost(None, hours) for run in (no_control, self, bound))
        return (none - own) / (none - best) if none != best else float("nan")

    def self_consumption(self, homes: ArrayLike | None = None, hours: ArrayLike | None = None) -> tuple[float, float]:
        """Self-consumption (1 - export / PV) and self-sufficiency (1 - import / load), each from the homes' sums.

        Raises:
            InputError: where the run did not keep load and PV by the hour.
        """
        if self.pv is None or self.load is None:
            raise InputError("self_consumption needs load and PV of every hour: run with details=True")
        rows, columns = self.chosen(homes, hours)
        sums = np.zeros(4)
        for part in parts(rows, columns):
            net, pv, load = (a[np.ix_(part, columns)] for a in (self.net, self.pv, self.load))
            flows = np.maximum(-net, 0), np.maximum(net, 0), pv, load
            sums += [each.sum(dtype=np.float64) for each in flows]
        exported, imported, pv_sum, load_sum = sums
        return (
            float(1 - exported / pv_sum) if pv_sum else float("nan"),
            float(1 - imported / load_sum) if load_sum else float("nan"),
        )

    def emissions(self, homes: ArrayLike | None = None, hours: ArrayLike | None = None) -> float:
        """kg CO2 of what was imported."""
        rows, columns = self.chosen(homes, hours)
        total = 0.0
        for part in parts(rows, columns):
            imported = np.maximum(self.net[np.ix_(part, columns)], 0).sum(1, dtype=np.float64)
            total += float(imported @ self.carbon[part])
        return total

    def peaks(self, hours: ArrayLike | None = None) -> dict[str, float]:
        """Highest hourly import and export of all homes together, and the mean of the days' highest imports, kWh."""
        rows, columns = self.chosen(None, hours)
        together = np.concatenate([self.net[part].sum(1, dtype=np.float64) for part in parts(rows, columns)])
        day = (rows + self.first_hour) // 24
        starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
        return {
            "import": float(max(together.max(), 0.0)),
            "export": float(max(-together.min(), 0.0)),
            "daily_import": float(np.maximum.reduceat(together, starts).mean()),
        }

    def voltage_share(self, low: float = 0.95, high: float = 1.05) -> float:
        """Share of hours in which any home's voltage lay outside [low, high], per unit."""
        if self.voltage is None:
            raise InputError("voltage_share needs a run with a feeder")
        return float(((self.voltage[0] < low) | (self.voltage[1] > high)).mean())

    def chosen(self, homes: ArrayLike | None, hours: ArrayLike | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices of the hours and of the homes that are asked for, or InputError."""
        return indices("hours", hours, self.n_hours), indices("homes", homes, self.n_homes)

    def prices(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Array, Array]:
        """Import and export prices of these hours and homes, each (hours, homes), or (hours, 1) where all pay
        the same."""
        if self.kind is None:
            return self.price.reshape(self.n_hours, -1)[rows], self.export_price.reshape(self.n_hours, -1)[rows]
        chosen = np.ix_(rows, self.kind[columns])
        return self.price[chosen], self.export_price[chosen]

    def require_same(self, name: str, other: Outcome, *, pooled: bool = False) -> None:
        """InputError where another outcome is not of these hours, this tariff and, unless it is pooled, these homes, or
        where one is of 'follow' and the other of 'setpoint'."""
        if not isinstance(other, Outcome):
            raise InputError(f"{name} must be an Outcome, not {other!r:.80}")
        own, its = ((o.first_hour, o.n_hours, o.tariff) for o in (self, other))
        if own != its or not (pooled or self.n_homes == other.n_homes):
            raise InputError(
                f"{name} must be of the same hours, homes and tariff: it has {other.n_hours} hours from "
                f"{other.first_hour}, {other.n_homes} homes and '{other.tariff}', this has {self.n_hours} from "
                f"{self.first_hour}, {self.n_homes} and '{self.tariff}'"
            )
        if not pooled and not _same_prices(self, other):
            raise InputError(f"{name} must be of the same prices: both tariffs are called '{self.tariff}' and differ")
        modes = {self.information, other.information} - {"foresight"}
        if len(modes) > 1:
            raise InputError(
                f"{name} is of information '{other.information}', this of '{self.information}': results of the two are "
                "never comparable"
            )

    def _peak_rises(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """By how much these hours raise their months' highest imports so far, kW, of each of these homes."""
        counted = np.bincount(rows, minlength=self.n_hours).astype(np.float64)
        rises = np.zeros(len(columns))
        starts = np.flatnonzero(np.r_[True, self.month[1:] != self.month[:-1]])
        for start, stop in zip(starts, np.r_[starts[1:], self.n_hours], strict=True):
            imported = np.maximum(self.net[start:stop, columns], 0).astype(np.float64)
            highest = np.maximum.accumulate(imported, 0, out=imported)
            rises += counted[start:stop] @ np.diff(highest, axis=0, prepend=0.0)
        return rises

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all of it into one safetensors file, whole or not at all.

        Args:
            path: of the file; one that is there is replaced.

        Raises:
            InputError: where an array is of a type that such a file cannot hold.
            OSError: where it cannot be written.
        """
        settings: dict[str, Any] = {"version": _VERSIONS[-1]}
        tensors = []
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                if type_name(value) not in TYPES:
                    raise InputError(f"{each.name} is of type {value.dtype}, which a file cannot hold")
                tensors.append(Tensor.of(each.name, value))
            elif value is not None:
                settings[each.name] = list(value) if isinstance(value, tuple) else value
        write_tensors(path, tensors, {_ENTRY: json.dumps(settings)})

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Outcome:
        """What `save` wrote.

        Args:
            path: of the file.

        Raises:
            InputError: where there is no such file, or it is truncated, damaged or of another kind.
        """
        with opened(path, _ENTRY, _VERSIONS, "outcome of a grid") as file:
            values = {key: value for key, value in file.config.items() if key != "version"}
            values |= {name: file.read(name, finite=False) for name in file.names}
            values["names"] = tuple(values.get("names", ()))
            return cls(**values)


def _same_prices(one: Outcome, other: Outcome) -> bool:
    every = ((one.price, other.price), (one.export_price, other.export_price), (one.kind, other.kind))
    fees = one.peak_fee == other.peak_fee
    return fees and all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in every)
