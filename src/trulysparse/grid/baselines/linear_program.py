"""Bounds by linear programs with a battery of fixed efficiency: each home for itself, a community as one, and homes
together under a cap."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.baselines.dynamic_program import Array, hourly_cost, problem, sizes

BEST_EFFICIENCY = 0.9  # the highest that the battery's curve reaches, of charging and discharging together
_TOLL = 1e-6  # $ per kWh of each direction: no charging and discharging at once
_FALL = 4.0  # how fast the power limit falls above a charge of .8
_BEYOND_CAP = 10.0  # $ per kWh above a cap: met where anything can meet it


class LinearBound(NamedTuple):
    """What a linear program found.

    Args:
        net: import minus export, kWh, (T, columns): a column per home, or one for a community.
        cost: $ of each column, with the monthly peak fee where there is one.
        balance: what each battery does, kWh at the meter, (T, columns), positive = charging.
    """

    net: Array
    cost: Array
    balance: Array


def linear_program(
    need: ArrayLike,
    capacity_kwh: ArrayLike,
    power_kw: ArrayLike,
    import_price: ArrayLike,
    export_price: ArrayLike = 0.0,
    *,
    efficiency: float = BEST_EFFICIENCY,
    peak_fee: float = 0.0,
    month: ArrayLike | None = None,
    progress: Progress = silent,
) -> LinearBound:
    """A bound from below on each home's cost with perfect foresight.

    The battery loses the same share at any power, the least that its curve allows, its capacity does not wear, and its
    power falls near full as the real one's: no control of the real battery costs less.

    Args:
        need: load minus PV, (T, H), kWh.
        capacity_kwh: of each battery, (H,). All begin empty.
        power_kw: of each inverter, (H,).
        import_price: $/kWh, (T,) or (T, H).
        export_price: likewise, or one number; nowhere above import_price.
        efficiency: of charging and discharging together.
        peak_fee: $ per kW of each month's highest import.
        month: of each hour, (T,), needed for a peak fee.
        progress: is told how far it is.

    Returns:
        The bound.

    Raises:
        InputError: arrays that do not fit each other, or an efficiency outside (0, 1].

    Source: Huangfu and Hall, "Parallelizing the dual revised simplex method", 2018 (HiGHS, by way of SciPy).

    Example:
        >>> import numpy as np
        >>> need, price = np.tile([[0.0], [3.0]], (2, 1)), np.tile([0.1, 0.5], 2)
        >>> bound = linear_program(need, [6.4], [5.0], price)
        >>> bound.balance.round(2).T.tolist(), round(float(bound.cost[0]), 3)
        ([[3.33, -3.0, 3.33, -3.0]], 0.667)
    """
    needs, price, export = problem(need, import_price, export_price)
    hours, homes = needs.shape
    capacity, power = sizes(capacity_kwh, power_kw, homes)
    months = _months(month, hours, peak_fee)
    net, cost = np.empty(needs.shape), np.empty(homes)
    for home in range(homes):
        paid = price[:, home if price.shape[1] > 1 else 0], export[:, home if price.shape[1] > 1 else 0]
        bought = _solve(needs[:, [home]], capacity[[home]], power[[home]], *paid, efficiency, peak_fee, months)
        net[:, home], cost[home] = bought.net[:, 0], bought.cost[0]
        progress("linear program", home + 1, homes)
    return LinearBound(net, cost, net - needs)


def pooled_linear_program(
    need: ArrayLike,
    capacity_kwh: ArrayLike,
    power_kw: ArrayLike,
    import_price: ArrayLike,
    export_price: ArrayLike = 0.0,
    *,
    efficiency: float = BEST_EFFICIENCY,
) -> LinearBound:
    """A bound from below on what a community pays that shares its PV and its batteries: `linear_program` of the sum of
    its homes with one battery of all batteries' size.

    Args:
        need: load minus PV, (T, H), kWh.
        capacity_kwh: of each battery, (H,). All begin empty.
        power_kw: of each inverter, (H,).
        import_price: $/kWh, (T,), the same for all.
        export_price: likewise, or one number.
        efficiency: of charging and discharging together.

    Returns:
        The bound, of one column.

    Raises:
        InputError: arrays that do not fit each other, or prices by home.

    Example:
        >>> bound = pooled_linear_program([[-2.0, 0.0], [0.0, 1.0]], [6.4, 0.0], [5.0, 0.0], [0.2, 0.5])
        >>> bound.net.round(2).tolist()  # one home's PV serves the other an hour later
        [[-0.89], [0.0]]
    """
    needs, price, export = problem(need, import_price, export_price)
    if price.shape[1] > 1:
        raise InputError("import_price must be the same for all homes of a community, of shape (hours,)")
    capacity, power = sizes(capacity_kwh, power_kw, needs.shape[1])
    total = needs.sum(1, keepdims=True)
    return _solve(total, capacity.sum(keepdims=True), power.sum(keepdims=True), price[:, 0], export[:, 0], efficiency)


def capped_linear_program(
    need: ArrayLike,
    capacity_kwh: ArrayLike,
    power_kw: ArrayLike,
    import_price: ArrayLike,
    export_price: ArrayLike = 0.0,
    *,
    cap_kw: float,
    efficiency: float = BEST_EFFICIENCY,
    days: int = 6,
    progress: Progress = silent,
) -> LinearBound:
    """What homes pay, each for itself, where all together import at most `cap_kw`: with perfect foresight of `days`
    days at a time and one day beyond them.

    Args:
        need: load minus PV, (T, H), kWh.
        capacity_kwh: of each battery, (H,). All begin empty.
        power_kw: of each inverter, (H,).
        import_price: $/kWh, (T,), the same for all.
        export_price: likewise, or one number.
        cap_kw: most that the homes together may import, kW, above 0. It is exceeded only in hours in which no use of
            the batteries would meet it.
        efficiency: of charging and discharging together.
        days: hours are planned in windows of this many days.
        progress: is told how far it is.

    Returns:
        What was found, a column per home.

    Raises:
        InputError: arrays that do not fit each other, or a cap that is not above 0.

    Example:
        >>> need, price = [[0.0, 0.0], [2.0, 2.0]], [0.1, 0.5]
        >>> bound = capped_linear_program(need, [6.4] * 2, [5.0] * 2, price, cap_kw=3.0)
        >>> bound.net.sum(1).round(2).tolist()
        [3.0, 1.3]
    """
    needs, price, export = problem(need, import_price, export_price)
    if price.shape[1] > 1:
        raise InputError("import_price must be the same for all homes under a cap, of shape (hours,)")
    cap = checks.real("cap_kw", cap_kw, low=0, low_open=True)
    hours, homes = needs.shape
    capacity, power = sizes(capacity_kwh, power_kw, homes)
    step, energy = 24 * checks.integer("days", days, low=1), np.zeros(homes)
    net = np.empty(needs.shape)
    for start in range(0, hours, step):
        window = slice(start, min(start + step + 24, hours))
        done = min(step, hours - start)
        found, stored = _solve_stored(
            needs[window], capacity, power, price[window, 0], export[window, 0], efficiency, energy=energy, cap=cap
        )
        net[start : start + done], energy = found.net[:done], stored[done - 1]
        progress("capped linear program", start + done, hours)
    return LinearBound(net, hourly_cost(net, price, export).sum(0), net - needs)


def _solve(*args: Any, **options: Any) -> LinearBound:
    return _solve_stored(*args, **options)[0]


def _solve_stored(
    need: Array,
    capacity: Array,
    power: Array,
    price: Array,
    export: Array,
    efficiency: float,
    peak_fee: float = 0.0,
    months: NDArray[np.intp] | None = None,
    *,
    energy: Array | None = None,
    cap: float | None = None,
) -> tuple[LinearBound, Array]:
    """The cheapest net import, and the energy stored at the end of each hour.

    Variables, each (hours x homes): charged, discharged, imported, exported, stored; then a month's peaks, or what each
    hour has above a cap."""
    from scipy import sparse
    from scipy.optimize import linprog

    checks.real("efficiency", efficiency, low=0, high=1, low_open=True)
    way = float(np.sqrt(efficiency))
    hours, homes = need.shape
    size = hours * homes
    one, none = sparse.identity(size, format="csr"), sparse.csr_matrix((size, size))
    before = sparse.eye(size, k=-homes, format="csr")
    balance = sparse.bmat([[-one, one, one, -one, none], [-way * one, one / way, none, none, one - before]])
    started = np.zeros((hours, homes))
    started[0] = 0.0 if energy is None else energy
    held = np.concatenate([need.ravel(), started.ravel()])
    # charged + 4 P/C stored <= 4.2 P, and so for discharging, with the energy at the hour's beginning
    slope = np.divide(_FALL * power, capacity, out=np.zeros(homes), where=capacity > 0)
    falling = sparse.diags(np.tile(slope, hours)) @ before
    rows = [sparse.hstack([one, none, none, none, falling]), sparse.hstack([none, one, none, none, falling])]
    limits = [(np.tile((1 + 0.8 * _FALL) * power, hours) - (slope * started).ravel())] * 2
    extra = hours if cap is not None else 0 if months is None else int(months.max()) + 1
    cost = [np.full(2 * size, _TOLL), np.repeat(price, homes), -np.repeat(export, homes), np.zeros(size)]
    if cap is not None:
        together = sparse.kron(sparse.identity(hours), np.ones((1, homes)), format="csr")
        empty = sparse.csr_matrix((hours, size))
        rows = [sparse.hstack([row, sparse.csr_matrix((size, hours))]) for row in rows]
        rows.append(sparse.hstack([empty, empty, together, -together, empty, -sparse.identity(hours)]))
        limits.append(np.full(hours, cap))
        cost.append(np.full(hours, _BEYOND_CAP))
    elif months is not None:
        belongs = sparse.csr_matrix((np.ones(size), (np.arange(size), np.repeat(months, homes))), (size, extra))
        rows = [sparse.hstack([row, sparse.csr_matrix((size, extra))]) for row in rows]
        rows.append(sparse.hstack([none, none, one, none, none, -belongs]))
        limits.append(np.zeros(size))
        cost.append(np.full(extra, peak_fee))
    if extra:
        balance = sparse.hstack([balance, sparse.csr_matrix((2 * size, extra))])
    most = np.concatenate(
        [np.tile(power, 2 * hours), np.full(2 * size, np.inf), np.tile(capacity, hours), np.full(extra, np.inf)]
    )
    solved = linprog(
        np.concatenate(cost), A_ub=sparse.vstack(rows, format="csr"), b_ub=np.concatenate(limits),
        A_eq=sparse.csr_matrix(balance), b_eq=held, bounds=np.stack([np.zeros_like(most), most], 1), method="highs",
    )  # fmt: skip
    if solved.status != 0:
        raise ArithmeticError(f"the linear program of {hours} hours and {homes} homes was not solved: {solved.message}")
    parts = solved.x[: 5 * size].reshape(5, hours, homes)
    net = parts[2] - parts[3]
    paid = hourly_cost(net, price[:, None], export[:, None]).sum(0)
    if months is not None and peak_fee:
        peaks = np.zeros((extra, homes))
        np.maximum.at(peaks, months, np.maximum(net, 0))
        paid += peak_fee * peaks.sum(0)
    return LinearBound(net, paid, net - need), parts[4]


def _months(month: ArrayLike | None, hours: int, peak_fee: float) -> NDArray[np.intp] | None:
    """Number of the calendar month that each hour is in, from 0 on; None without a fee."""
    if not checks.real("peak_fee", peak_fee, low=0):
        return None
    given = np.asarray(month)
    if month is None or given.shape != (hours,):
        raise InputError(f"month must name the month of each of {hours} hours where there is a peak_fee")
    numbers: NDArray[np.intp] = np.cumsum(np.r_[0, given[1:] != given[:-1]])
    return numbers
