"""The rules and bounds that every report shows beside agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from trulysparse._core.progress import Progress, silent
from trulysparse.cli.grid._homes import Homes
from trulysparse.errors import InputError
from trulysparse.report.grid_run import BOUND, RULE

NO_CONTROL, FORESIGHT, POOLED = "no-control", "perfect-foresight", "pooled-foresight"
LIMIT, POOLED_LIMIT = "foresight-limit", "pooled-limit"
"""Names of files: without control; each home with perfect foresight; all of them together with it; and of both what
no battery can go below, by linear programs."""
BOUNDS = (FORESIGHT, LIMIT, POOLED, POOLED_LIMIT)
SCALES = {False: (FORESIGHT, LIMIT), True: (POOLED, POOLED_LIMIT)}
"""Bounds by which savings are measured, the first one that is there: of homes for themselves, and of a community."""
MOST_LIMITED = 20
"""Homes for which linear programs of each are solved."""
MOST_BOUNDED = 200
"""Homes for which perfect foresight is computed where nothing is said of it, and control by forecast at all."""
MOST_KEPT = 20_000_000
"""Hours x homes up to which load, PV and charge are kept beside energy at the meter."""
_SHORT = {
    "time-of-use, fill": "TOU fill",
    "time-of-use, fill, spread": "TOU fill, spread",
    "time-of-use, fill, random hours": "TOU fill, random",
    "time-of-use, fill, community an hour late": "TOU fill, community",
    "rule on the community's sum, hour known": "community, hour known",
    "self-consumption, an hour late": "late self-consumption",
}
"""Labels of rules as pictures have room for them."""
RULES = (
    "no-control",
    "basic",
    "self-consumption",
    "late-self-consumption",
    "time-of-use",
    "tou-fill",
    "tou-fill-spread",
    "tou-fill-random",
    "community-fill",
    "community-sum",
    "mpc",
)
"""Names of rules; which of them a run has depends on its mode, market and number of homes."""


def rules_of(homes: Homes, seed: int = 0) -> dict[str, Any]:
    """The rules for the mode of a run, by name.

    Args:
        homes: of the run.
        seed: of start hours that are drawn.
    """
    from trulysparse.grid.baselines import rules
    from trulysparse.grid.baselines.community import CommunityFill, CommunitySum
    from trulysparse.grid.baselines.mpc import PredictiveControl

    made: dict[str, Callable[[], Any]] = {
        "no-control": rules.NoControl,
        "basic": rules.BasicRBC,
        "self-consumption": rules.SelfConsumption,
        "late-self-consumption": rules.LateSelfConsumption,
        "time-of-use": rules.TimeOfUse,
        "tou-fill": rules.TimeOfUseFill,
        "tou-fill-spread": lambda: rules.TimeOfUseFill(spread=True),
        "tou-fill-random": lambda: rules.TimeOfUseFill((1, 3), seed=seed),
        "community-fill": CommunityFill,
        "community-sum": CommunitySum,
        "mpc": PredictiveControl,
    }
    options = homes.options
    if options.get("market") is None:
        del made["community-sum"]
    if options.get("market") is None or options.get("broadcast") != "community":
        del made["community-fill"]
    if homes.n_homes > MOST_BOUNDED:
        del made["mpc"]
    return {name: rule for name, make in made.items() if (rule := make()).information in (None, options["information"])}


def play(homes: Homes, actor: Any, label: str | None = None, progress: Progress = silent) -> Any:
    """What a rule or agents make of all homes and hours.

    Args:
        homes: of the run.
        actor: a rule, or agents, which observe.
        label: of agents.
        progress: is told how far it is.

    Returns:
        An Outcome.
    """
    from trulysparse.grid import evaluate

    environment = homes.environment(observe=hasattr(actor, "act"))
    kept = homes.n_homes * environment.n_hours <= MOST_KEPT
    own = str(label or getattr(actor, "label", "agents"))
    name = _SHORT.get(own, own)
    return evaluate.run(environment, actor, label=name, details=kept, progress=named(progress, name))


def bounds_for(homes: Homes) -> list[str]:
    """The bounds that homes have, by name: with a market of each home for itself and of all together.

    Args:
        homes: of the run.
    """
    if homes.options.get("market") is not None:
        return [FORESIGHT, POOLED, POOLED_LIMIT]
    names = [] if homes.environment(observe=False, n_hours=1).tariff.peak_fee else [FORESIGHT]
    return [*names, LIMIT] if homes.n_homes <= MOST_LIMITED else names


def bound_of(homes: Homes, none: Any, name: str, progress: Progress = silent) -> Any:
    """What perfect foresight makes of the homes.

    Args:
        homes: of the run.
        none: the outcome without control.
        name: of the bound, see bounds_for.
        progress: is told how far it is.

    Returns:
        An Outcome; None where there is no such bound: batteries of all homes are not one where their hours to fill
        differ, and hours that a run without control did not come to are not known.
    """
    if none.n_hours < homes.scenario.n_hours:  # its power flow had no solution
        return None
    told = named(progress, name.replace("-", " "))
    if name in (LIMIT, POOLED_LIMIT):
        return _limit(homes, none, name == POOLED_LIMIT, told)
    from trulysparse.grid.baselines.foresight import perfect_foresight

    environment = homes.environment(observe=False)
    try:
        found = perfect_foresight(environment, pooled=name == POOLED, no_control=none, progress=told)
    except InputError:
        if name != POOLED:
            raise
        return None
    return replace(found, label="pooled foresight") if name == POOLED else found


def _limit(homes: Homes, none: Any, pooled: bool, progress: Progress) -> Any:
    """The least cost, by a linear program: nothing that a battery can do, as it loses too little."""
    from trulysparse.grid.baselines.linear_program import linear_program, pooled_linear_program

    batteries = homes.scenario.battery_kwh, homes.scenario.battery_kw
    if pooled:
        found = pooled_linear_program(none.net, *batteries, none.price, none.export_price)
    else:
        fee = none.peak_fee
        months = {"peak_fee": fee, "month": none.month} if fee else {}
        prices = (_by_home(none.price, none), _by_home(none.export_price, none))
        found = linear_program(none.net, *batteries, *prices, progress=progress, **months)
    empty = {"load": None, "pv": None, "charge": None, "clipped_kwh": None, "curtailed_kwh": None, "stored_kwh": None}
    flow: dict[str, Any] = {"voltage": None, "home_voltage": None, "transformer": None, "line": None, "details": {}}
    if pooled:
        flow |= {"names": (), "kind": None}
    net = np.asarray(found.net, np.float32).reshape(none.n_hours, -1)
    return replace(none, label=_LIMITS[pooled], information="foresight", net=net, **empty, **flow)


_LIMITS = {False: "limit (LP)", True: "pooled limit (LP)"}


def _by_home(prices: Any, none: Any) -> Any:
    """Prices as linear programs take them: one column for all homes, or one for each."""
    if prices.ndim == 1:
        return prices
    return prices[:, 0] if none.kind is None else prices[:, none.kind]


def wants_bound(bounds: bool | None, n_homes: int) -> bool:
    """Whether perfect foresight is computed.

    Example:
        >>> wants_bound(None, 17), wants_bound(None, 1022), wants_bound(True, 1022)
        (True, False, True)
    """
    return n_homes <= MOST_BOUNDED if bounds is None else bounds


def kind_of(outcome: Any) -> str:
    """Whether an outcome is of a rule or of a bound, which knows what no home can know."""
    return BOUND if outcome.information == "foresight" else RULE


def named(progress: Progress, name: str) -> Progress:
    """A Progress that says what it is of.

    Example:
        >>> named(lambda *told: print(told), "es")("simulating", 1, 2)
        ('es: simulating', 1, 2)
    """
    return lambda what, done, total: progress(f"{name}: {what}", done, total)
