"""Perfect foresight of a community that shares PV and batteries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.baselines.dynamic_program import Plan, dynamic_program, problem, sizes


def pooled_dynamic_program(
    need: ArrayLike,
    capacity_kwh: ArrayLike,
    power_kw: ArrayLike,
    import_price: ArrayLike,
    export_price: ArrayLike = 0.0,
    *,
    n_levels: int = 193,
    progress: Progress = silent,
) -> Plan:
    """The cheapest plan of a community whose batteries all do the same, each in proportion to its size.

    It is a plan that can be carried out. A community may do a little better: few batteries at high power lose less than
    all at low power. `pooled_linear_program` bounds it from below.

    Args:
        need: load minus PV of each hour and home, (T, H), kWh.
        capacity_kwh: of each battery, (H,); all begin empty.
        power_kw: of each inverter, (H,), in the same proportion to the capacity in all homes.
        import_price: $/kWh, (T,), the same for all homes.
        export_price: likewise, or one number.
        n_levels: levels of charge.
        progress: is told how far it is.

    Returns:
        The plan: requests, balance and stored energy by home; its cost is one number, that of the sum.

    Raises:
        InputError: prices by home, no battery at all, or batteries of unlike proportions.

    Example:
        >>> plan = pooled_dynamic_program([[-2.0, 0.0], [0.0, 1.0]], [6.4, 6.4], [5.0, 5.0], [0.2, 0.5])
        >>> plan.balance.round(2).tolist()  # both store one home's PV for the other
        [[0.62, 0.62], [-0.52, -0.52]]
    """
    needs, price, export = problem(need, import_price, export_price)
    if price.shape[1] > 1:
        raise InputError("import_price must be the same for all homes of a community, of shape (hours,)")
    capacity, power = sizes(capacity_kwh, power_kw, needs.shape[1])
    some = capacity > 0
    if not some.any():
        raise InputError("capacity_kwh must be above 0 in at least one home")
    if np.ptp(hours := capacity[some] / power[some]) > 1e-9 * hours.max():
        raise InputError(
            f"capacity_kwh must be in one proportion to power_kw for a pooled plan, not from {hours.min():g} to "
            f"{hours.max():g} hours; pooled_linear_program takes any"
        )
    total: dict[str, Any] = dict(n_levels=n_levels, progress=progress)
    together = needs.sum(1, keepdims=True)
    plan = dynamic_program(together, [capacity.sum()], [power.sum()], price[:, 0], export[:, 0], **total)
    share = capacity / capacity.sum()
    return Plan(plan.requests * share, plan.balance * share, plan.energy_kwh * share, plan.cost)
