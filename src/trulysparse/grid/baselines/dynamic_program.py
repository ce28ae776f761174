"""Perfect foresight: the cheapest use of each home's own battery, by dynamic programming with its real curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.memory import require
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.baselines.levels import Levels
from trulysparse.grid.battery import Batteries

Array = NDArray[np.float64]

_AT_ONCE = 17  # homes: costs of all changes of an hour stay in the cache
_CANDIDATES = 97  # requests compared in each hour of the way forward, besides that which leaves nothing to exchange


class Plan(NamedTuple):
    """What batteries do in each hour.

    Args:
        requests: what each battery is asked for, kWh at the meter, (T, H), positive = charging.
        balance: what it does, likewise.
        energy_kwh: stored energy at each hour's end, (T, H).
        cost: $ of each home over all hours, (H,), without peak fees.
    """

    requests: Array
    balance: Array
    energy_kwh: Array
    cost: Array


def dynamic_program(
    need: ArrayLike,
    capacity_kwh: ArrayLike,
    power_kw: ArrayLike,
    import_price: ArrayLike,
    export_price: ArrayLike = 0.0,
    *,
    n_levels: int = 97,
    end_value: float = 0.0,
    progress: Progress = silent,
) -> Plan:
    """The cheapest plan of each home that knows all hours beforehand, each for itself.

    Values of charge levels are found backward in time. The way forward takes the real battery through each hour: power
    that falls near full, efficiency by power, capacity that wears. So the plan's cost is one that a battery can reach;
    97 levels come within .3 % of the optimum.

    Args:
        need: load minus PV of each hour and home, (T, H), kWh.
        capacity_kwh: of each battery, (H,); 0 for none. All begin empty.
        power_kw: of each inverter, (H,).
        import_price: $/kWh, (T,), or (T, H) where homes pay different prices.
        export_price: likewise, or one number; nowhere above import_price.
        n_levels: levels of charge, 2 to 2,000; time and memory rise with their square.
        end_value: $ per kWh that is stored at the end.
        progress: is told how far it is.

    Returns:
        The plan.

    Raises:
        InputError: arrays that do not fit each other or are not finite, or an export price above the import price.
        NotEnoughMemoryError: where values of all hours do not fit in memory.

    Source: Bellman, "Dynamic Programming", 1957.

    Example:
        >>> import numpy as np
        >>> need, price = np.tile([[0.0], [3.0]], (2, 1)), np.tile([0.1, 0.5], 2)
        >>> plan = dynamic_program(need, [6.4], [5.0], price)
        >>> plan.balance.round(1).T.tolist(), round(float(plan.cost[0]), 2)
        ([[3.4, -3.0, 3.3, -3.0]], 0.68)
    """
    need, price, export = problem(need, import_price, export_price)
    hours, homes = need.shape
    capacity, power = sizes(capacity_kwh, power_kw, homes)
    n_levels = checks.integer("n_levels", n_levels, low=2, high=2000)
    end_value = checks.real("end_value", end_value, low=0)
    at_once = min(homes, _AT_ONCE)
    needed = 4 * ((hours + 1) * at_once * n_levels + 2 * at_once * n_levels**2) + 24 * hours * (homes + at_once)
    require(needed, f"a dynamic program of {hours} hours and {n_levels} levels", "use fewer levels")
    requests, balance, energy = np.zeros((3, hours, homes))
    memory = np.empty((hours + 1, at_once, n_levels), np.float32)
    done = 0
    for size in np.unique(np.stack([capacity, power], 1), axis=0):
        members = np.flatnonzero((capacity == size[0]) & (power == size[1]))
        if size[0] > 0:
            levels = Levels(float(size[0]), float(size[1]), n_levels)
            for start in range(0, len(members), _AT_ONCE):
                few = members[start : start + _AT_ONCE]
                columns = few if price.shape[1] > 1 else [0]
                own = need[:, few], price[:, columns], export[:, columns]
                out = memory.reshape(-1)[: (hours + 1) * len(few) * n_levels].reshape(hours + 1, len(few), n_levels)
                requests[:, few], balance[:, few], energy[:, few] = _plan(levels, *own, end_value, out)
                progress("dynamic program", done + start + len(few), homes)
        done += len(members)
    progress("dynamic program", homes, homes)
    return Plan(requests, balance, energy, hourly_cost(need + balance, price, export).sum(0))


def _plan(
    levels: Levels, need: Array, price: Array, export: Array, end_value: float, memory: NDArray[np.float32]
) -> Array:
    """Requests, balances and stored energy, (3, T, H), of homes with batteries of one size."""
    hours, homes = need.shape
    n, p, f = (a.astype(np.float32) for a in (need, price, export))
    values = levels.values(n, p, f if export.any() else None, end_value, memory)
    grid = np.linspace(-levels.power_kw, levels.power_kw, _CANDIDATES)
    asked = np.empty((_CANDIDATES + 1, homes))
    asked[:-1] = grid[:, None]
    tried = Batteries(np.full(asked.shape, levels.capacity_kwh), levels.power_kw)
    real = Batteries(np.full(homes, levels.capacity_kwh), levels.power_kw)
    done = np.empty((3, *need.shape))
    every = np.arange(homes)
    for t in range(hours):
        asked[-1] = -need[t]
        np.copyto(tried.energy_kwh, real.energy_kwh)
        np.copyto(tried.degraded_kwh, real.degraded_kwh)
        balances = tried.step(asked)
        costs = hourly_cost(need[t] + balances, price[t], export[t])
        costs += levels.value_at(values[t + 1], tried.energy_kwh)
        best = costs.argmin(0)
        done[0, t] = asked[best, every]
        done[1, t] = real.step(done[0, t])
        done[2, t] = real.energy_kwh
    return done


def hourly_cost(net: Array, price: Array, export: Array) -> Array:
    """$ of a net import, by hour and home."""
    cost: Array = np.maximum(net * price, net * export)  # export is nowhere dearer than import
    return cost


def problem(need: ArrayLike, import_price: ArrayLike, export_price: ArrayLike) -> tuple[Array, Array, Array]:
    """Need (T, H) and both prices, (T, 1) or (T, H), checked."""
    given = np.asarray(need, np.float64)
    if given.ndim != 2 or not given.size:
        raise InputError(f"need must be load minus PV of shape (hours, homes), not {given.shape}")
    if not np.isfinite(given).all():
        raise InputError(f"need must be finite, not so in hour {int(np.argwhere(~np.isfinite(given))[0][0])}")
    hours, homes = given.shape
    prices = []
    for name, values in (("import_price", import_price), ("export_price", export_price)):
        array = np.asarray(values, np.float64)
        array = np.full(hours, array) if array.ndim == 0 else array
        array = array[:, None] if array.ndim == 1 else array
        if array.shape not in ((hours, 1), (hours, homes)) or not np.isfinite(array).all():
            raise InputError(
                f"{name} must be finite and of shape ({hours},) or ({hours}, {homes}), not {np.shape(values)}"
            )
        prices.append(array)
    if (prices[1] > prices[0]).any():
        raise InputError("export_price must nowhere be above import_price")
    width = max(array.shape[1] for array in prices)
    price, export = (np.broadcast_to(array, (hours, width)) for array in prices)
    return given, price, export


def sizes(capacity_kwh: ArrayLike, power_kw: ArrayLike, homes: int) -> tuple[Array, Array]:
    """Capacity and power of each home's battery, checked."""
    checked = Batteries(np.broadcast_to(_per_home("capacity_kwh", capacity_kwh, homes), homes), power_kw)
    return checked.capacity_kwh, checked.power_kw


def _per_home(name: str, values: ArrayLike, homes: int) -> Array:
    array = np.asarray(values, np.float64)
    if array.shape not in ((), (1,), (homes,)):
        raise InputError(f"{name} must be one number or one per home ({homes}), not of shape {array.shape}")
    return array
