"""trulysparse train"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, Threads, takes_recipe
from trulysparse.cli._settings import Settings
from trulysparse.cli._training import TrainingCommand, start_training


@handle_user_errors
@takes_recipe(Settings)
def train(
    settings: Settings,
    given: Collection[str],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the model, its settings and metrics.")],
    threads: Threads = None,
    address: Annotated[str | None, typer.Option(help="Of a running Ray cluster; none: a local one is started.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do without a training in --out that was broken off and could go on.")
    ] = False,
    report: Annotated[bool, typer.Option("--report", help="Follow the topology and write report.html.")] = False,
    json: JsonLine = False,
) -> None:
    """Train a truly sparse network and score it on data it has not seen."""
    start_training(TrainingCommand(settings, out, threads, address, report, json, given=given, overwrite=overwrite))
