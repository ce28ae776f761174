"""The rules and bounds that every report shows beside agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trulysparse._core.progress import Progress, silent
from trulysparse.cli.grid._homes import Homes

NO_CONTROL, FORESIGHT, POOLED = "no-control", "perfect-foresight", "pooled-foresight"
"""Names of files: without control, each home with perfect foresight, all of them together with it."""
MOST_BOUNDED = 200
"""Homes for which perfect foresight is computed where nothing is said of it."""
MOST_KEPT = 20_000_000
"""Hours x homes up to which load, PV and charge are kept beside energy at the meter."""
RULES = (
    "no-control",
    "basic",
    "self-consumption",
    "late-self-consumption",
    "time-of-use",
    "tou-fill",
    "tou-fill-random",
)


def rules_of(homes: Homes, seed: int = 0) -> dict[str, Any]:
    """The rules for the mode of a run, by name.

    Args:
        homes: of the run.
        seed: of start hours that are drawn.
    """
    from trulysparse.grid.baselines import rules

    made: dict[str, Callable[[], Any]] = {
        "no-control": rules.NoControl,
        "basic": rules.BasicRBC,
        "self-consumption": rules.SelfConsumption,
        "late-self-consumption": rules.LateSelfConsumption,
        "time-of-use": rules.TimeOfUse,
        "tou-fill": rules.TimeOfUseFill,
        "tou-fill-random": lambda: rules.TimeOfUseFill((2, 6), seed=seed),
    }
    mode = homes.options["information"]
    return {name: rule for name, make in made.items() if (rule := make()).information in (None, mode)}


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
    name = label or getattr(actor, "label", "agents")
    return evaluate.run(environment, actor, label=label, details=kept, progress=named(progress, name))


def bound_of(homes: Homes, none: Any, progress: Progress = silent) -> tuple[str, Any]:
    """What perfect foresight makes of the homes: of each for itself, or of a community together.

    Args:
        homes: of the run.
        none: the outcome without control.
        progress: is told how far it is.

    Returns:
        (name of its file, Outcome).
    """
    if none.market is not None:
        return POOLED, _pooled(homes, none)
    from trulysparse.grid.baselines.dynamic_program import dynamic_program
    from trulysparse.grid.baselines.rules import Requests

    tariff = homes.environment(n_hours=1).tariff
    columns = slice(None) if tariff.kind is None else (slice(None), tariff.kind)
    plan = dynamic_program(
        none.net,
        homes.scenario.battery_kwh,
        homes.scenario.battery_kw,
        tariff.import_price[columns],
        tariff.export_price[columns],
        progress=named(progress, "perfect foresight"),
    )
    return FORESIGHT, play(homes, Requests(plan.requests, "perfect foresight"), None, progress)


def _pooled(homes: Homes, none: Any) -> Any:
    from trulysparse.grid.baselines.linear_program import pooled_linear_program
    from trulysparse.grid.outcome import Outcome

    found = pooled_linear_program(
        none.net, homes.scenario.battery_kwh, homes.scenario.battery_kw, none.price, none.export_price
    )
    return Outcome(
        label="perfect foresight, all homes together",
        information="foresight",
        tariff=none.tariff,
        net=np.asarray(found.net, np.float32).reshape(none.n_hours, 1),
        price=none.price,
        export_price=none.export_price,
        carbon=none.carbon,
        hour=none.hour,
        month=none.month,
        first_hour=none.first_hour,
        market=none.market,
    )


def wants_bound(bounds: bool | None, n_homes: int) -> bool:
    """Whether perfect foresight is computed.

    Example:
        >>> wants_bound(None, 17), wants_bound(None, 1022), wants_bound(True, 1022)
        (True, False, True)
    """
    return n_homes <= MOST_BOUNDED if bounds is None else bounds


def named(progress: Progress, name: str) -> Progress:
    """A Progress that says what it is of.

    Example:
        >>> named(lambda *told: print(told), "es")("simulating", 1, 2)
        ('es: simulating', 1, 2)
    """
    return lambda what, done, total: progress(f"{name}: {what}", done, total)
