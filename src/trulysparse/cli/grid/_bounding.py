"""What `grid bound` does: rules and bounds of a data set, on the terminal."""

from __future__ import annotations

import time
from typing import Any

from trulysparse._core.bars import bars
from trulysparse.cli._console import peak_rss_mb, print_json
from trulysparse.cli.grid._controls import NO_CONTROL, bound_of, bounds_for, kind_of, play, rules_of
from trulysparse.cli.grid._homes import Homes, make_homes
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.cli.grid._shares import Scale
from trulysparse.cli.grid._tables import as_json, show_controls
from trulysparse.report.grid_run import BOUND


def show_bounds(settings: GridSettings, *, foresight: bool, json_line: bool) -> None:
    """Runs all rules of the mode, and perfect foresight, and prints what came of them.

    Args:
        settings: homes, tariff, feeder and market.
        foresight: whether perfect foresight is computed.
        json_line: whether figures are printed as JSON.
    """
    settings.check()
    began = time.perf_counter()
    homes = make_homes(settings)
    with bars() as progress:
        outcomes = {name: play(homes, rule, None, progress) for name, rule in rules_of(homes, settings.seed).items()}
        none = outcomes[NO_CONTROL]
        names = bounds_for(homes) if foresight else []
        bounds = {name: found for name in names if (found := bound_of(homes, none, name, progress)) is not None}
    scale = Scale(none, bounds, homes.split)
    every = [*outcomes.values(), *bounds.values()]
    controls = [scale.rule(each) for each in sorted(every, key=lambda each: kind_of(each) == BOUND)]
    show_controls(title_of(settings, homes), controls)
    if json_line:
        figures: dict[str, Any] = {"homes": homes.n_homes, "hours": scale.none.n_hours, "tariff": settings.tariff}
        took = {"seconds": round(time.perf_counter() - began, 3), "peak_rss_mb": peak_rss_mb()}
        print_json({**figures, "information": settings.information, "controls": as_json(controls), **took})


def title_of(settings: GridSettings, homes: Homes) -> str:
    """What a run is of, in words."""
    count = f"{homes.n_homes:,} home{'s' * (homes.n_homes > 1)}"
    market = "" if settings.settled is None else f", {settings.settled}"
    feeder = "" if settings.feeder is None else f" on {settings.feeder}"
    return f"{count}{feeder}, tariff {settings.tariff}{market}, {settings.information}"
