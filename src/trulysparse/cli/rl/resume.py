"""trulysparse rl resume"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine
from trulysparse.cli.rl.train import Processes, Report


@handle_user_errors
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training that was broken off.")],
    processes: Processes = 1,
    threads: Annotated[int | None, typer.Option(help="Of the kernels. Default: as before.")] = None,
    report: Report = True,
    json: JsonLine = False,
) -> None:
    """Go on with a training of agents from its last checkpoints; episodes begin anew."""
    from trulysparse.cli.rl._training import resume_agents

    resume_agents(run, processes=processes, report=report, threads=threads, json_line=json)
