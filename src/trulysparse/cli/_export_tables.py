"""What an exported C file takes on a device, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from trulysparse.cli._console import print_table

_COLUMNS = ("weights", "index", "rows", "other", "flash")


def show_size(run: Path, size: Any) -> None:
    """Prints bytes of flash by layer and by what they are, RAM, and the files that were written.

    Args:
        run: what was exported.
        size: from export.c.
    """
    table = Table(title=Text(f"{run} in C, {size.weights}: bytes"), title_justify="left", title_style="bold")
    table.add_column("layer", no_wrap=True, style="cyan")
    table.add_column("connections", justify="right")
    table.add_column("stored as")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for row in size.rows():
        figures = (f"{row[column]:,}" for column in _COLUMNS)
        table.add_row(row["name"], f"{row['n_connections']:,}", row["form"], *figures)
    table.add_row("network", "", "", "", "", "", f"{size.other:,}", f"{size.other:,}")
    table.add_section()
    table.add_row("flash, without code", *[""] * 6, f"{size.flash:,}")
    table.add_row("RAM, without stack", *[""] * 6, f"{size.ram:,}")
    print_table(table)
    typer.echo("written: " + ", ".join(map(str, size.files)))
