"""What electricity costs: prices by the hour for import and export, and a fee for the month's highest import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.grid.data import GridData

Array = NDArray[np.float64]

NAMES = ("tou", "tou+feed-in", "carbon", "peakfee", "community")
FEED_IN = 0.08  # $/kWh
PEAK_FEE = 10.0  # $/kW of the month's highest hourly import
CARBON_BASE, CARBON_PRICE = 0.1, 1.0  # $/kWh, $/kg


@dataclass(frozen=True, eq=False)
class Tariff:
    """Prices of one or several kinds of customers.

    Args:
        name: what reports call it.
        import_price: $/kWh of each hour, float64 (T,), or (T, K) for K kinds of customers.
        export_price: $/kWh paid for what is fed in, likewise.
        peak_fee: $/kW of a calendar month's highest hourly import, at least 0.
        kind: int (H,), each home's kind, 0 to K - 1; None where K is 1.

    Raises:
        InputError: prices that are not finite or differ in shape, an export price above the import price (a battery
            would earn by doing nothing), a negative fee, or a kind that does not exist.

    Example:
        >>> night = np.tile(np.repeat([0.2, 0.4], 12), 365)
        >>> Tariff("night and day", night, np.full(8760, 0.08)).n_kinds
        1
    """

    name: str
    import_price: Array
    export_price: Array
    peak_fee: float = 0.0
    kind: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        prices = [_prices(what, getattr(self, what)) for what in ("import_price", "export_price")]
        if prices[0].shape != prices[1].shape:
            raise InputError(
                f"export_price must have the shape of import_price {prices[0].shape}, not {prices[1].shape}"
            )
        if (prices[1] > prices[0]).any():
            hour = int(np.argwhere(prices[1] > prices[0])[0][0])
            raise InputError(
                f"export_price must not be above import_price, as it is in hour {hour} "
                f"({prices[1][hour].max():g} above {prices[0][hour].min():g} $/kWh)"
            )
        object.__setattr__(self, "import_price", prices[0])
        object.__setattr__(self, "export_price", prices[1])
        object.__setattr__(self, "peak_fee", checks.real("peak_fee", self.peak_fee, low=0))
        if self.kind is None:
            if self.n_kinds > 1:
                raise InputError(f"kind must say which of the {self.n_kinds} kinds of prices each home has")
            return
        kind = np.asarray(self.kind)
        if (
            kind.ndim != 1
            or not np.issubdtype(kind.dtype, np.integer)
            or not ((kind >= 0) & (kind < self.n_kinds)).all()
        ):
            raise InputError(
                f"kind must be whole numbers between 0 and {self.n_kinds - 1}, one a home, not {kind!r:.80}"
            )
        object.__setattr__(self, "kind", kind.astype(np.int64))

    @property
    def n_hours(self) -> int:
        """Hours that have a price."""
        return len(self.import_price)

    @property
    def n_kinds(self) -> int:
        """Kinds of customers."""
        return int(self.import_price.shape[1])

    @property
    def has_feed_in(self) -> bool:
        """Whether anything is ever paid for what is fed in."""
        return bool(self.export_price.any())

    def peak_hours(self) -> NDArray[np.bool_]:
        """Hours whose import price is above the middle between the lowest and the highest, bool (T, K); none where the
        price never changes."""
        low, high = self.import_price.min(axis=0), self.import_price.max(axis=0)
        peak: NDArray[np.bool_] = (self.import_price > (low + high) / 2) & (high > low)
        return peak

    def of_homes(self, homes: Sequence[int] | NDArray[np.int64]) -> Tariff:
        """The tariff of some homes, which may be repeated: `homes` are their indices."""
        if self.kind is None:
            return self
        return Tariff(self.name, self.import_price, self.export_price, self.peak_fee, self.kind[np.asarray(homes)])


def make_tariff(tariff: str | Tariff | ArrayLike, data: GridData, n_homes: int) -> Tariff:
    """A tariff from its name, or one of anyone's own, checked against the data.

    Args:
        tariff: 'tou' (the data's price, nothing for export), 'tou+feed-in' (.08 $/kWh for export), 'carbon' (.1 $/kWh
            and 1 $/kg times the carbon intensity), 'peakfee' (tou and 10 $/kW of each month's highest import),
            'community' (tou, settled in a market), a Tariff, or import prices of each hour.
        data: whose prices and hours they are.
        n_homes: how many homes.

    Returns:
        The tariff.

    Raises:
        InputError: an unknown name, or other hours or homes than the data's.

    Example:
        >>> from trulysparse.grid.sample import sample_data
        >>> data = sample_data()
        >>> make_tariff("peakfee", data, len(data.names)).peak_fee
        10.0
    """
    if isinstance(tariff, str):
        made = _named(checks.choice("tariff", tariff, NAMES), data)
    elif isinstance(tariff, Tariff):
        made = tariff
    else:
        prices = _prices("tariff", tariff)
        made = Tariff("own", prices, np.zeros_like(prices))
    if made.n_hours != len(data.price):
        raise InputError(f"tariff must have a price for each of the {len(data.price)} hours, not {made.n_hours}")
    if made.kind is not None and len(made.kind) != n_homes:
        raise InputError(f"tariff.kind must be of the {n_homes} homes, not of {len(made.kind)}")
    return made


def _named(name: str, data: GridData) -> Tariff:
    price = np.asarray(data.price, np.float64)
    nothing = np.zeros_like(price)
    if name == "tou+feed-in":
        return Tariff(name, price, np.minimum(price, FEED_IN))
    if name == "carbon":
        return Tariff(name, CARBON_BASE + CARBON_PRICE * np.asarray(data.carbon, np.float64), nothing)
    return Tariff(name, price, nothing, PEAK_FEE if name == "peakfee" else 0.0)


def _prices(name: str, values: Any) -> Array:
    try:
        prices = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be prices in $/kWh, one an hour, not {values!r:.80}") from None
    if prices.ndim not in (1, 2) or prices.size == 0:
        raise InputError(f"{name} must be of shape (hours,) or (hours, kinds), not {prices.shape}")
    if not np.isfinite(prices).all():
        hour = int(np.argwhere(~np.isfinite(prices))[0][0])
        raise InputError(f"{name} must be finite, not {prices[hour]} in hour {hour}")
    return prices.reshape(len(prices), -1)
