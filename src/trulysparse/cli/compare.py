"""trulysparse compare"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors, print_json
from trulysparse.cli._options import JsonLine
from trulysparse.cli._run_records import names_of, read_run
from trulysparse.cli._tables import check_page, show_comparison
from trulysparse.report import write_comparison
from trulysparse.report.compare_page import differing_settings, rows_of, settings_rows, warnings_of


@handle_user_errors
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that train wrote, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="A .html file for a page with curves and tables.")] = None,
    json: JsonLine = False,
) -> None:
    """Show runs side by side: their figures, and the settings in which they differ."""
    check_page(out)
    names = names_of(runs)
    compared = [read_run(folder, name) for folder, name in zip(runs, names, strict=True)]
    differences, warnings = differing_settings(compared), warnings_of(compared)
    show_comparison(names, rows_of(compared), settings_rows(differences), warnings)
    if out is not None:
        write_comparison(out, compared)
        typer.echo(f"page written to {out}")
    if json:
        print_json(
            {
                "runs": [{"run": str(folder), **run.figures()} for folder, run in zip(runs, compared, strict=True)],
                "differences": differences,
                "warnings": warnings,
            }
        )
