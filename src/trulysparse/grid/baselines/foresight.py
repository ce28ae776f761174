"""Bounds of an environment: plans with perfect foresight, carried out in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.baselines.dynamic_program import dynamic_program
from trulysparse.grid.baselines.pooled import pooled_dynamic_program
from trulysparse.grid.baselines.rules import NoControl, Requests
from trulysparse.grid.evaluate import run
from trulysparse.grid.outcome import Outcome


def perfect_foresight(
    environment: Any,
    *,
    pooled: bool = False,
    n_levels: int | None = None,
    no_control: Outcome | None = None,
    progress: Progress = silent,
) -> Outcome:
    """What an environment gives to batteries that know all hours beforehand: its bound.

    Args:
        environment: a GridEnvironment; batteries begin empty. Its grid limits are not planned for, but they act.
        pooled: whether the homes plan as one, for a community that nets; else each for itself.
        n_levels: levels of charge; None: 97 for homes, 193 pooled.
        no_control: its outcome without control, with details, where there is one already.
        progress: is told how far it is.

    Returns:
        The outcome.

    Raises:
        InputError: a tariff with a peak fee, which `linear_program` takes, a power flow without solution in the run
            without control, or what the plans refuse.
        NotEnoughMemoryError: where the plan's values do not fit in memory.

    Example:
        >>> from trulysparse import grid
        >>> environment = grid.GridEnvironment(grid.sample_data(), n_hours=168)
        >>> bound, none = perfect_foresight(environment), grid.run(environment, grid.NoControl())
        >>> rule = grid.run(environment, grid.SelfConsumption())
        >>> 0 < rule.saving_share(none, bound) < 1
        True
    """
    tariff = environment.tariff
    if tariff.peak_fee:
        raise InputError(f"tariff '{tariff.name}' has a peak fee, which no dynamic program knows: linear_program does")
    if checks.flag("pooled", pooled) and tariff.kind is not None:
        raise InputError("pooled needs one tariff for all homes: these pay different prices")
    none = run(environment, NoControl()) if no_control is None else no_control
    if none.n_hours != environment.n_hours:
        ended = none.details.get("diverged", "it is of other hours")
        raise InputError(
            f"no_control must be of the environment's {environment.n_hours} hours, not of {none.n_hours}: {ended}"
        )
    rows = slice(environment.first_hour, environment.first_hour + environment.n_hours)
    prices = [_by_home(table[rows], tariff.kind) for table in (tariff.import_price, tariff.export_price)]
    batteries = environment.batteries
    # What homes do besides their batteries, such as charging vehicles, is in the load of the run without control.
    plan = (pooled_dynamic_program if pooled else dynamic_program)(
        needs(none),
        batteries.capacity_kwh,
        batteries.power_kw,
        *prices,
        progress=progress,
        n_levels=n_levels or (193 if pooled else 97),
    )
    label = "perfect foresight, pooled" if pooled else "perfect foresight"
    return run(environment, Requests(plan.requests, label), progress=progress)


def needs(no_control: Outcome) -> NDArray[np.float64]:
    """Load minus PV, (T, H), of a run without control: InputError where it did not keep them."""
    if no_control.load is None or no_control.pv is None:
        raise InputError("no_control must have load and PV of every hour: run with details=True")
    return np.subtract(no_control.load, no_control.pv, dtype=np.float64)


def _by_home(prices: NDArray[np.float64], kind: NDArray[np.int64] | None) -> NDArray[np.float64]:
    return prices[:, 0] if kind is None else prices[:, kind]
