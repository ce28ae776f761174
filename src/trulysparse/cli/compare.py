"""trulysparse compare"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trulysparse.cli._console import handle_user_errors, print_json
from trulysparse.cli._options import JsonLine
from trulysparse.cli._run_records import names_of, read_run
from trulysparse.errors import InputError
from trulysparse.report import write_comparison
from trulysparse.report.compare_page import differing_settings, rows_of, settings_rows, warnings_of

# Columns that a run's figures take at least.
_LEAST_WIDTH = 16


@handle_user_errors
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that train wrote, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="A .html file for a page with curves and tables.")] = None,
    json: JsonLine = False,
) -> None:
    """Show runs side by side: their figures, and the settings in which they differ."""
    if out is not None and out.suffix != ".html":
        raise InputError(f"--out must end in .html, not '{out}'")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out is not None and out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")
    names = names_of(runs)
    compared = [read_run(folder, name) for folder, name in zip(runs, names, strict=True)]
    differences, warnings = differing_settings(compared), warnings_of(compared)
    _show("Runs compared", rows_of(compared), names)
    if differences:
        _show("Settings that differ", settings_rows(differences), names)
    elif len(runs) > 1:
        typer.echo("The runs have the same settings.")
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
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


def _show(title: str, rows: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Tables with a column per run, as many beside each other as fit."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    first = max((len(name) for name in rows), default=0) + 4
    some = max(1, (console.width - first) // (_LEAST_WIDTH + 3))
    for start in range(0, len(names), some):
        table = Table(title=Text(title), title_justify="left", title_style="bold")
        table.add_column(no_wrap=True, style="cyan")
        for name in names[start : start + some]:
            table.add_column(Text(name), overflow="fold", justify="right")
        for name, values in rows.items():
            table.add_row(Text(name), *(Text(value) for value in values[start : start + some]))
        with console.capture() as text:
            console.print(table)
        print(text.get(), end="", flush=True)
