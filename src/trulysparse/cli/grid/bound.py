"""trulysparse grid bound"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, takes_recipe
from trulysparse.cli.grid._settings import GridSettings

OPTIONS = (
    "homes", "tariff", "data", "csv", "feeder", "grid_limits", "information", "market", "broadcast",
    "electric_vehicles", "heat_pumps", "weeks", "train_homes", "seed",
)  # fmt: skip


@handle_user_errors
@takes_recipe(GridSettings, OPTIONS)
def bound(
    settings: GridSettings,
    given: Collection[str],
    *,
    foresight: Annotated[
        bool, typer.Option("--foresight/--no-foresight", help="Compute perfect foresight, or the rules alone.")
    ] = True,
    json: JsonLine = False,
) -> None:
    """What rules, and control that knows the future, make of homes: cost in $, share of the possible saving. Nothing
    learns, and nothing is written."""
    from trulysparse.cli.grid._bounding import show_bounds

    show_bounds(settings, foresight=foresight, json_line=json)
