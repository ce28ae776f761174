"""A community's own settlement: what homes pay each other for energy that is used nearby."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks

Array = NDArray[np.float64]

MARKETS = ("netting", "mid-market", "supply-demand")


class LocalPrices(NamedTuple):
    """What a kWh costs within a community.

    Args:
        buy: $/kWh that homes pay which need energy, one a community and hour.
        sell: $/kWh that homes get which have too much.
    """

    buy: Array
    sell: Array


def local_prices(
    market: str, demand: ArrayLike, supply: ArrayLike, import_price: ArrayLike, export_price: ArrayLike
) -> LocalPrices:
    """Prices at which a community's books balance: what its homes pay together is what its meter to the grid costs.

    Args:
        market: 'netting' (energy from within is free, what the community pays or earns outside is shared by kWh),
            'mid-market' (half way between both prices within; who is on the longer side shares the grid's price), or
            'supply-demand' (a price that falls as supply rises).
        demand: kWh that the homes need which import, summed over the community, any shape.
        supply: kWh of those which export, likewise, as a positive number.
        import_price: $/kWh from the grid.
        export_price: $/kWh to the grid, at most import_price.

    Returns:
        Prices of the shape of demand.

    Source: mid-market rate: Long et al., "Peer-to-peer energy trading in a community microgrid", 2017;
        supply-demand ratio: Liu et al., "Energy-sharing model with price-based demand response", 2017.

    Example:
        >>> buy, sell = local_prices("mid-market", [4.0], [2.0], 0.5, 0.1)
        >>> buy.tolist(), sell.tolist()  # 2 kWh at .3 and 2 kWh at .5, shared by those who buy
        ([0.4], [0.3])
    """
    checks.choice("market", market, MARKETS)
    d, s = np.asarray(demand, np.float64), np.asarray(supply, np.float64)
    p, f = np.asarray(import_price, np.float64), np.asarray(export_price, np.float64)
    within = np.minimum(d, s)
    per_demand = np.divide(1.0, d, out=np.zeros_like(d), where=d > 0)
    per_supply = np.divide(1.0, s, out=np.zeros_like(s), where=s > 0)
    if market == "supply-demand":
        ratio = np.minimum(s * per_demand, 1.0)
        divisor = (p - f) * ratio + f
        sell = np.divide(f * p, divisor, out=np.zeros_like(divisor), where=divisor > 0)
        buy = sell * ratio + p * (1 - ratio)
        alone = s >= d  # as much supply as demand: all is worth what the grid pays
        return LocalPrices(np.where(alone, f, buy), np.where(alone, f, sell))
    inner = np.zeros_like(p) if market == "netting" else (p + f) / 2
    buy = (inner * within + p * (d - within)) * per_demand
    sell = (inner * within + f * (s - within)) * per_supply
    return LocalPrices(buy, sell)


def settle(market: str, net: Array, import_price: ArrayLike, export_price: ArrayLike, n_communities: int = 1) -> Array:
    """The bills of an hour.

    Args:
        market: as in local_prices.
        net: kWh of each home at its meter, + = import, (H,); communities of the same size one after the other.
        import_price: $/kWh, one number or one a community.
        export_price: likewise.
        n_communities: how many.

    Returns:
        $ of each home, (H,); negative where it earns. Their sum over a community is what its common meter costs.

    Example:
        >>> settle("netting", np.array([3.0, -1.0]), 0.5, 0.0).tolist()
        [1.0, 0.0]
    """
    groups = net.reshape(n_communities, -1)
    imports = np.maximum(groups, 0.0)
    exports = imports - groups
    prices = local_prices(market, imports.sum(axis=1), exports.sum(axis=1), import_price, export_price)
    bills: Array = imports * prices.buy[:, None]
    bills -= exports * prices.sell[:, None]
    return bills.reshape(net.shape)
