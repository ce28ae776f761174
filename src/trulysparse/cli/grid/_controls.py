"""The rules and bounds that every report shows beside agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from trulysparse._core.progress import Progress, silent
from trulysparse.cli.grid._homes import Homes
from trulysparse.report.grid_run import BOUND, RULE

NO_CONTROL, FORESIGHT, POOLED = "no-control", "perfect-foresight", "pooled-foresight"
"""Names of files: without control, each home with perfect foresight, all of them together with it."""
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


def bound_of(homes: Homes, none: Any, progress: Progress = silent) -> tuple[str, Any]:
    """What perfect foresight makes of the homes: of each for itself, or of a community together.

    Args:
        homes: of the run.
        none: the outcome without control.
        progress: is told how far it is.

    Returns:
        (name of its file, Outcome). Where months' peaks have a fee, it is a limit that no control can reach.
    """
    environment, told = homes.environment(observe=False), named(progress, "perfect foresight")
    if environment.tariff.peak_fee:
        return FORESIGHT, _with_peak_fee(homes, environment.tariff, none, told)
    from trulysparse.grid.baselines.foresight import perfect_foresight

    pooled = none.market is not None
    found = perfect_foresight(environment, pooled=pooled, no_control=none, progress=told)
    return (POOLED, replace(found, label="pooled foresight")) if pooled else (FORESIGHT, found)


def _with_peak_fee(homes: Homes, tariff: Any, none: Any, progress: Progress) -> Any:
    """The least cost of each home with a fee on its months' peaks."""
    from trulysparse.grid.baselines.linear_program import linear_program

    found = linear_program(
        none.net,
        homes.scenario.battery_kwh,
        homes.scenario.battery_kw,
        none.price,
        none.export_price,
        peak_fee=tariff.peak_fee,
        month=none.month,
        progress=progress,
    )
    empty = {"load": None, "pv": None, "charge": None, "clipped_kwh": None, "curtailed_kwh": None, "stored_kwh": None}
    flow = {"voltage": None, "home_voltage": None, "transformer": None, "line": None}
    net = np.asarray(found.net, np.float32)
    return replace(none, label="limit of foresight", information="foresight", net=net, **empty, **flow)


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
