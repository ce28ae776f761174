"""trulysparse resume"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, Threads
from trulysparse.cli._training import resume_training


@handle_user_errors
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training that was broken off.")],
    learning_rate: Annotated[
        float | None, typer.Option(help="From here on, for a training that diverged. Default: as before.")
    ] = None,
    threads: Threads = None,
    json: JsonLine = False,
) -> None:
    """Go on with a training from its last checkpoint; the result has the same bits as without the break, unless the
    learning rate is another."""
    resume_training(run, learning_rate=learning_rate, threads=threads, json_line=json)
