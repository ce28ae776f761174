"""trulysparse grid report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors


@handle_user_errors
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `grid run` wrote, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="A .html file. Default: RUN/report.html.")] = None,
) -> None:
    """Write the report of a run as one HTML page: costs beside rules and bounds, seen and unseen homes and weeks, a
    week of one home, the grid's loading and voltages, what agents take on their devices."""
    from trulysparse.cli._tables import check_page
    from trulysparse.cli.grid._reporting import write_report_of

    check_page(out)
    typer.echo(f"report written to {write_report_of(run, out)}")
