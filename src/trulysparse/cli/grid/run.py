"""trulysparse grid run"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from trulysparse._core import checks
from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, takes_recipe
from trulysparse.cli.grid._settings import GridSettings


@handle_user_errors
@takes_recipe(GridSettings)
def run(
    settings: GridSettings,
    given: Collection[str],
    *,
    out: Annotated[Path, typer.Option(help="Folder for settings, progress, agents, outcomes and report.")],
    threads: Annotated[int | None, typer.Option(help="Of the kernels. Default: 1, or as before.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out, whatever its settings; they are not repeated."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do without another run of this command in --out, finished or not.")
    ] = False,
    checkpoint_seconds: Annotated[float, typer.Option(help="Seconds between checkpoints of agents that learn.")] = 60.0,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    json: JsonLine = False,
) -> None:
    """Let homes with PV and batteries learn, each with its own small sparse network, and compare them with rules and
    with perfect foresight. Without --data or --csv: a sample of 6 homes and one year. A run that was broken off goes on
    with the same command."""
    from trulysparse.cli.grid._running import GridRun, resume_run, start_run

    pause = checks.real("--checkpoint-seconds", checkpoint_seconds, low=0)
    call = GridRun(settings, out, 1 if threads is None else threads, report, json, pause)
    if resume:
        resume_run(call, given, threads, overwrite=overwrite)
    else:
        start_run(call, overwrite=overwrite)
