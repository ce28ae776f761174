"""trulysparse rl train"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, takes_recipe
from trulysparse.cli.rl._settings import AgentSettings

Threads = Annotated[int, typer.Option(help="Of the kernels.")]
Processes = Annotated[int, typer.Option(help="In which seeds are trained at the same time.")]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")]


@handle_user_errors
@takes_recipe(AgentSettings)
def train(
    settings: AgentSettings,
    given: Collection[str],
    *,
    out: Annotated[Path, typer.Option(help="Folder for logs, evaluations, agent, policy and report.")],
    processes: Processes = 1,
    threads: Threads = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do without another run of agents in --out, finished or not.")
    ] = False,
    report: Report = True,
    json: JsonLine = False,
) -> None:
    """Train agents with truly sparse networks in a Gymnasium environment. Settings of the algorithm that are not given
    are those of the preset."""
    from trulysparse.cli.rl._training import AgentTraining, start_agents

    start_agents(AgentTraining(settings, out, threads, processes, report=report, json_line=json, overwrite=overwrite))
