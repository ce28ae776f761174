"""trulysparse train"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trulysparse._core.terminal import stdout_is_terminal
from trulysparse.cli._calling import Calling
from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, Threads, takes_recipe
from trulysparse.cli._settings import Settings
from trulysparse.cli._training import TrainingCommand, start_training
from trulysparse.recipe.presets import PRESETS, Preset
from trulysparse.recipe.presets import preset as find_preset


def _listed(presets: Mapping[str, Preset]) -> str:
    return "; ".join(f"{name} ({each.about})" for name, each in presets.items())


@handle_user_errors
@takes_recipe(Settings)
def train(
    settings: Settings,
    given: Collection[str],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the model, its settings and metrics.")],
    preset: Annotated[
        str | None,
        typer.Option(help=f"Settings for a data set, where no other option says otherwise: {_listed(PRESETS)}."),
    ] = None,
    threads: Threads = None,
    address: Annotated[str | None, typer.Option(help="Of a running Ray cluster; none: a local one is started.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do without a training in --out that was broken off and could go on.")
    ] = False,
    report: Annotated[
        bool | None,
        typer.Option(
            "--report/--no-report",
            help="Write report.html, following the topology of indexed layers. Default: on a terminal, without that.",
        ),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="tensorboard (into RUN), mlflow or both with a comma: where figures go too.")
    ] = None,
    json: JsonLine = False,
) -> None:
    """Train a truly sparse network and score it on data it has not seen."""
    values = {} if preset is None else find_preset(preset, "--preset").others(given)
    settings = replace(settings, **values)
    page = stdout_is_terminal() if report is None else report
    calling = Calling(report=page, topology=bool(report) and settings.storage == "indexed", log=log, address=address)
    command = TrainingCommand(
        settings, out, threads, calling, json, given=given, preset=tuple(values), overwrite=overwrite
    )
    start_training(command)
