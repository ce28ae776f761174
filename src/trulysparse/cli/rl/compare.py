"""trulysparse rl compare"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors, print_json
from trulysparse.cli._options import JsonLine
from trulysparse.cli._run_records import names_of
from trulysparse.cli._tables import check_page, show_comparison


@handle_user_errors
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders that `rl train` wrote, finished or not.")
    ],
    out: Annotated[Path | None, typer.Option(help="A .html file for a page with curves and tables.")] = None,
    json: JsonLine = False,
) -> None:
    """Show runs of agents side by side: returns and their spread over seeds, connections, seconds, memory."""
    from trulysparse.cli.rl._run_folder import read_agent_run
    from trulysparse.report.rl_compare_page import (
        differing_settings,
        settings_rows,
        warnings_of,
        write_agent_comparison,
    )
    from trulysparse.report.rl_run import rows_of

    check_page(out)
    names = names_of(runs)
    compared = [read_agent_run(folder, name) for folder, name in zip(runs, names, strict=True)]
    differences, warnings = differing_settings(compared), warnings_of(compared)
    show_comparison(names, rows_of(compared), settings_rows(differences), warnings)
    if out is not None:
        write_agent_comparison(out, compared)
        typer.echo(f"page written to {out}")
    if json:
        figures = [{"run": str(folder), **run.figures()} for folder, run in zip(runs, compared, strict=True)]
        print_json({"runs": figures, "differences": differences, "warnings": warnings})
