"""Runs side by side on the terminal, and where their page goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from trulysparse.cli._console import print_table, wide_console
from trulysparse.errors import InputError

# Columns that a run's figures take at least.
_LEAST_WIDTH = 16


def check_page(out: Path | None) -> None:
    """InputError where `out` cannot become a page."""
    if out is not None and out.suffix != ".html":
        raise InputError(f"--out must end in .html, not '{out}'")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out is not None and out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")


def show_runs(title: str, rows: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Tables with a column per run, as many beside each other as fit."""
    first = max((len(name) for name in rows), default=0) + 4
    some = max(1, (wide_console().width - first) // (_LEAST_WIDTH + 3))
    for start in range(0, len(names), some):
        table = Table(title=Text(title), title_justify="left", title_style="bold")
        table.add_column(no_wrap=True, style="cyan")
        for name in names[start : start + some]:
            table.add_column(Text(name), overflow="fold", justify="right")
        for name, values in rows.items():
            table.add_row(Text(name), *(Text(value) for value in values[start : start + some]))
        print_table(table)


def show_comparison(
    names: Sequence[str],
    figures: Mapping[str, Sequence[str]],
    differing: Mapping[str, Sequence[str]],
    warnings: Sequence[str],
) -> None:
    """Runs side by side: their figures, the settings in which they differ, and what makes them hard to compare.

    Args:
        names: of the runs.
        figures: a text per run, by the figure's name.
        differing: a text per run, by the setting's name.
        warnings: sentences.
    """
    show_runs("Runs compared", figures, names)
    if differing:
        show_runs("Settings that differ", differing, names)
    elif len(names) > 1:
        typer.echo("The runs have the same settings.")
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
