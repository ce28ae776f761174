"""What a year at the meters came to: CityLearn's indicators, self-consumption, self-sufficiency and fairness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse.errors import InputError

Array = NDArray[np.float64]

DAY, MONTH = 24, 730  # hours of CityLearn's windows
NEXT_TO_NOTHING = 1e-6  # a denominator of at most this is 0 for CityLearn


def citylearn_indicators(net: ArrayLike, without: ArrayLike, price: ArrayLike, carbon: ArrayLike) -> dict[str, float]:
    """CityLearn's indicators of a district, each over that without batteries: below 1 is better.

    Those of homes (cost, carbon, consumption, zne) are the unweighted mean of the homes' ratios, not the ratio of sums.
    A ratio of nothing to nothing is 1; something to nothing is left out of the mean, and nan where it stands alone.
    Windows are counted from the first hour; the last one may be shorter.

    Args:
        net: (T, H) kWh that each home took from the grid in each hour, negative = gave.
        without: (T, H) the same without batteries.
        price: (T,) $/kWh.
        carbon: (T,) kg CO2/kWh.

    Returns:
        cost: sums of max(net, 0) price. carbon: of max(net, 0) carbon. consumption: of max(net, 0). zne: of net.
        Of the homes' sum e: ramping: sum of max(e[t] - e[t-1], 0). load_factor_daily, load_factor_monthly: 1 - mean /
        max in windows of 24 and 730 hours, averaged. daily_peak: maximum in windows of 24 hours, averaged. peak:
        maximum.

    Raises:
        InputError: the arrays are not of these shapes.

    Source: CityLearn 3.0.2, `CityLearnEnv.evaluate`, its rows for the district.

    Example:
        >>> without = np.array([[1.0, 2.0], [3.0, 1.0]])
        >>> found = citylearn_indicators(without / 2, without, np.full(2, 0.2), np.full(2, 0.1))
        >>> found["cost"], found["ramping"], found["load_factor_daily"], found["peak"]
        (0.5, 0.5, 1.0, 0.5)
    """
    after, before = _hours_by_homes("net", net), _hours_by_homes("without", without)
    tariff, intensity = np.asarray(price, np.float64), np.asarray(carbon, np.float64)
    if before.shape != after.shape:
        raise InputError(f"without must be of net's shape {after.shape}, not {before.shape}")
    for name, series in (("price", tariff), ("carbon", intensity)):
        if series.shape != after.shape[:1]:
            raise InputError(
                f"{name} must be of shape {after.shape[:1]} where net is {after.shape}, not {series.shape}"
            )
    taken, taken_before = np.maximum(after, 0.0), np.maximum(before, 0.0)
    per_hour = {"cost": tariff, "carbon": intensity, "consumption": np.ones(len(after))}
    found = {
        name: _mean_ratio(np.maximum(weight, 0.0) @ taken, np.maximum(weight, 0.0) @ taken_before)
        for name, weight in per_hour.items()
    }
    found["zne"] = _mean_ratio(after.sum(axis=0), before.sum(axis=0))
    district, district_before = after.sum(axis=1), before.sum(axis=1)
    for name, of in (
        ("ramping", ramping),
        ("load_factor_daily", lambda series: one_minus_load_factor(series, DAY)),
        ("load_factor_monthly", lambda series: one_minus_load_factor(series, MONTH)),
        ("daily_peak", lambda series: mean_peak(series, DAY)),
        ("peak", lambda series: mean_peak(series, len(series))),
    ):
        found[name] = _mean_ratio(np.array([of(district)]), np.array([of(district_before)]))
    return found


def ramping(net: ArrayLike) -> float:
    """The sum of all increases from one hour to the next, kWh; `net` is one series.

    Example:
        >>> ramping([1.0, 3.0, 2.0, 2.5])
        2.5
    """
    return float(np.maximum(np.diff(np.asarray(net, np.float64)), 0.0).sum())


def one_minus_load_factor(net: ArrayLike, window: int) -> float:
    """1 - mean / maximum in each window of hours, averaged; `net` is one series.

    Example:
        >>> one_minus_load_factor([1.0, 3.0, 2.0, 2.0], window=2)
        0.16666666666666669
    """
    parts = _windows(net, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        penalties = np.array([1.0 - np.divide(part.mean(), part.max()) for part in parts])
    known = penalties[~np.isnan(penalties)]
    return float(known.mean()) if known.size else float("nan")


def mean_peak(net: ArrayLike, window: int) -> float:
    """The maximum of each window of hours, averaged, kWh; `net` is one series.

    Example:
        >>> mean_peak([1.0, 3.0, 2.0, 2.0], window=2)
        2.5
    """
    return float(np.mean([part.max() for part in _windows(net, window)]))


def self_consumption(net: ArrayLike, pv: ArrayLike) -> tuple[float, float]:
    """The share of what the panels made that homes used themselves.

    Args:
        net: (T, H) kWh taken from the grid, negative = given.
        pv: (T, H) kWh made by the panels.

    Returns:
        1 - export / PV, with the export of each home by itself, and with that of all together: what one home gives and
        another takes in the same hour is then used. nan without PV.

    Example:
        >>> self_consumption([[-1.0, 1.0], [-1.0, 0.0]], [[2.0, 0.0], [2.0, 0.0]])
        (0.5, 0.75)
    """
    export, made = -_hours_by_homes("net", net), _hours_by_homes("pv", pv)
    return _own_shares(export, made.sum())


def self_sufficiency(net: ArrayLike, load: ArrayLike) -> tuple[float, float]:
    """The share of what homes used that did not come from the grid.

    Args:
        net: (T, H) kWh taken from the grid, negative = given.
        load: (T, H) kWh used.

    Returns:
        1 - import / load, with the import of each home by itself, and with that of all together. nan without load.

    Example:
        >>> self_sufficiency([[-1.0, 1.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]])
        (0.5, 0.75)
    """
    taken, used = _hours_by_homes("net", net), _hours_by_homes("load", load)
    return _own_shares(taken, used.sum())


def jain_index(values: ArrayLike) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has everything.

    Args:
        values: what each has, such as the homes' saving shares.

    Returns:
        (sum x)^2 / (n sum x^2); nan where all are 0.

    Source: Jain, Chiu and Hawe (1984), "A quantitative measure of fairness and discrimination".

    Example:
        >>> jain_index([1.0, 1.0, 1.0]), jain_index([1.0, 0.0])
        (1.0, 0.5)
    """
    x = np.asarray(values, np.float64).ravel()
    squares = float(x.size * (x**2).sum())
    return float(x.sum() ** 2 / squares) if squares > 0 else float("nan")


def _own_shares(flow: Array, total: float) -> tuple[float, float]:
    if total <= 0:
        return float("nan"), float("nan")
    alone, together = np.maximum(flow, 0.0).sum(), np.maximum(flow.sum(axis=1), 0.0).sum()
    return float(1 - alone / total), float(1 - together / total)


def _hours_by_homes(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{name} must be an array (hours, homes) with at least one of each, not of shape {array.shape}"
        )
    return array


def _windows(net: ArrayLike, window: int) -> list[Array]:
    series = np.asarray(net, np.float64)
    return [series[start : start + window] for start in range(0, len(series), window)]


def _mean_ratio(after: Array, before: Array) -> float:
    """The mean of the ratios; as CityLearn, numbers that are not finite count as 0."""
    after, before = (np.where(np.isfinite(each), each, 0.0) for each in (after, before))
    nothing = np.abs(before) <= NEXT_TO_NOTHING
    ratio = np.divide(after, before, out=np.full(after.shape, np.nan), where=~nothing)
    ratio[nothing & (np.abs(after) <= NEXT_TO_NOTHING)] = 1.0
    known = ratio[~np.isnan(ratio)]
    return float(known.mean()) if known.size else float("nan")
