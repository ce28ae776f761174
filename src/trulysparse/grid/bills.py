"""What each home pays for an hour: its tariff or its community's market, and the fee for the month's highest import."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.grid.data import GridData
from trulysparse.grid.hours import Distinct
from trulysparse.grid.market import settle
from trulysparse.grid.scenario import Scenario
from trulysparse.grid.tariff import Tariff

Array = NDArray[np.float64]


class Bills:
    """The homes' bills, hour after hour.

    Args:
        tariff: prices.
        data: whose months count for the fee.
        n_homes: H.
        market: how communities settle, see market.local_prices; None: each home for itself.
        n_communities: of equal size, one after the other.

    Attributes:
        imports: kWh that each home took in the last hour, (H,).
        peak: each home's highest import of the month so far, kW, (H,).
    """

    def __init__(
        self,
        tariff: Tariff,
        data: GridData,
        n_homes: int,
        market: str | None = None,
        n_communities: int = 1,
    ) -> None:
        self.tariff, self.market, self.n_communities = tariff, market, n_communities
        self._kind = tariff.kind
        if market is not None and tariff.kind is not None:
            kinds = tariff.kind.reshape(n_communities, -1)
            if (kinds != kinds[:, :1]).any():
                raise InputError("market needs one tariff for all homes of a community: these pay different prices")
        month = np.asarray(data.month)
        self._begins = np.r_[True, month[1:] != month[:-1]]
        self._import_price, self._export_price = tariff.import_price[:, 0].tolist(), tariff.export_price[:, 0].tolist()
        self._feed_in = tariff.has_feed_in
        self.imports: Array = np.zeros(n_homes)
        self.peak: Array = np.zeros(n_homes)
        self._cost, self._part = np.zeros(n_homes), np.zeros(n_homes)
        self.begin_at(0)

    def begin_at(self, first_hour: int | NDArray[np.int64]) -> None:
        """Episodes begin in this hour from now on, int64 (H,), or one number for all."""
        self._first = first_hour
        self._distinct = Distinct(first_hour, self._kind)
        self._one_price = isinstance(first_hour, int) and self._kind is None

    def prices(self, step: int) -> tuple[Any, Any]:
        """$/kWh of import and of export in a step of the episode: two numbers, or (H,) each where homes differ."""
        if self._one_price:
            hour = step + self._first
            return self._import_price[hour], self._export_price[hour]
        return self._distinct.of(self.tariff.import_price, step), self._distinct.of(self.tariff.export_price, step)

    def settle(self, step: int, net: Array) -> Array:
        """The bills of a step, and the month's highest import brought up to date.

        Args:
            step: of the episode.
            net: kWh at each home's meter, + = import, (H,).

        Returns:
            $ of each home; overwritten by the next call.
        """
        price, export = self.prices(step)
        cost, imports, part = self._cost, self.imports, self._part
        np.maximum(net, 0.0, out=imports)
        if self.market is not None:
            if not self._one_price:
                price, export = (each.reshape(self.n_communities, -1)[:, 0] for each in (price, export))
            np.copyto(cost, settle(self.market, net, price, export, self.n_communities))
        else:
            np.multiply(imports, price, out=cost)
            if self._feed_in:
                np.subtract(net, imports, out=part)
                part *= export
                cost += part
        self._note_peak(step, cost)
        return cost

    def _note_peak(self, step: int, cost: Array) -> None:
        begins = self._begins[step + self._first]
        if isinstance(begins, np.ndarray):
            self.peak[begins] = 0
        elif begins:
            self.peak[:] = 0
        if self.tariff.peak_fee:
            rise = np.subtract(self.imports, self.peak, out=self._part)
            np.maximum(rise, 0.0, out=rise)
            rise *= self.tariff.peak_fee
            cost += rise
        np.maximum(self.peak, self.imports, out=self.peak)

    def reset(self) -> None:
        """A month without import so far."""
        self.peak[:] = 0
        self.imports[:] = 0


def mean_cost(source: Scenario, tariff: Tariff, hours: NDArray[np.bool_]) -> Array:
    """What a home pays on average for an hour of import without control, $: the scale of its rewards.

    Args:
        source: a Scenario.
        tariff: prices.
        hours: bool (T,), which hours count: those of training.

    Returns:
        float64 (H,), at least 1e-3.
    """
    total, length = np.zeros(source.n_homes), 168 if source.n_homes < 2000 else 24
    kind = 0 if tariff.kind is None else tariff.kind
    for start in range(0, len(hours), length):
        counted = np.flatnonzero(hours[start : start + length])
        if counted.size == 0:
            continue
        load, pv = source.window(start, min(start + length, len(hours)))
        imports = np.maximum(load[counted] - pv[counted], 0)
        price = tariff.import_price[start + counted]
        total += (imports * price[:, kind] if tariff.kind is not None else imports * price).sum(
            axis=0, dtype=np.float64
        )
    return np.maximum(total / max(int(hours.sum()), 1), 1e-3)
