"""trulysparse device-budget"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from trulysparse._core import checks
from trulysparse.cli._console import handle_user_errors, print_json, print_table
from trulysparse.cli._exportable import Choice
from trulysparse.cli._exporting import open_exportable
from trulysparse.cli._options import JsonLine
from trulysparse.cli.export import Agent, Best, LearnerName, Seed
from trulysparse.errors import InputError

_UNITS = {"": 1, "k": 1024, "m": 1024**2}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([km]?)(?:i?b)?", re.IGNORECASE)
_HELP = "As data sheets write it: 64k, 1M (k is 1,024), or bytes. Default: any."


def byte_count(option: str, text: str | None) -> int | None:
    """Bytes of a size such as 64k, 256KB, 1M or 65536, k as 1,024; None of None.

    Args:
        option: that errors name.
        text: as the user wrote it.

    Raises:
        InputError: where it is no size, or less than a byte.

    Example:
        >>> byte_count("--ram", "64k"), byte_count("--ram", "1.5 MB"), byte_count("--ram", "20480")
        (65536, 1572864, 20480)
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    count = 0 if match is None else int(float(match[1]) * _UNITS[match[2].lower()])
    if count < 1:
        raise InputError(f"{option} must be a size such as 64k, 1M or 65536, not '{text}'")
    return count


@handle_user_errors
def device_budget(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder that train, rl train or grid run wrote, or a model file.")
    ],
    ram: Annotated[str | None, typer.Option(help=f"That the network may take. {_HELP}")] = None,
    flash: Annotated[str | None, typer.Option(help=f"Likewise. {_HELP}")] = None,
    batch: Annotated[int, typer.Option(help="Samples of a training step on the device.")] = 1,
    seed: Seed = None,
    best: Best = False,
    agent: Agent = None,
    learner: LearnerName = None,
    json: JsonLine = False,
) -> None:
    """Say what a network takes on a device in each form that export writes, what fits, and what would have to change
    for the others. Exit code 2 where nothing fits."""
    from trulysparse.export.budget import device_budget as budget_of

    ram_bytes, flash_bytes = byte_count("--ram", ram), byte_count("--flash", flash)
    checks.integer("--batch", batch, low=1)
    opened = open_exportable(run, Choice(seed=seed, best=best, agent=agent, learner=learner))
    budget = budget_of(opened.model, ram=ram_bytes, flash=flash_bytes, batch=batch)
    _show(run, budget)
    if json:
        print_json(budget.to_json())
    if not budget.fitting:
        typer.echo("error: no form of this network fits; the table says what would", err=True)
        raise typer.Exit(2)


def _show(run: Path, budget: Any) -> None:
    sizes = "-".join(map(str, budget.layer_sizes))
    there = " and ".join(
        f"{limit:,} bytes of {name}" for name, limit in (("RAM", budget.ram), ("flash", budget.flash)) if limit
    )
    title = f"{run}: {sizes}, {budget.connections:,} connections" + (f", on {there}" if there else "")
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("form", no_wrap=True, style="cyan")
    for name in ("flash", "RAM"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits", no_wrap=True)
    if len(budget.fitting) < len(budget.forms):
        table.add_column("what would fit", overflow="fold")
    for each in budget.forms:
        figures = ("-", "-") if each.bytes is None else (f"{each.bytes.flash:,}", f"{each.bytes.ram:,}")
        row = [each.form.name, *figures, "yes" if each.fits else "no"]
        table.add_row(*row, *([_advice(each)] if len(budget.forms) > len(budget.fitting) else []))
    print_table(table)
    typer.echo(
        "Flash: arrays and functions, those as GCC makes them for a Cortex-M4F with -O2. RAM: without the stack, which "
        "is below 300 bytes, and of a training 3 to 5 kB. Networks that would fit were drawn, or pruned, and counted; "
        "they have to be trained."
    )


def _advice(each: Any) -> str:
    """What would fit where a form does not."""
    if each.fits:
        return ""
    if each.bytes is None:
        return str(each.reason)
    parts: list[str] = []
    if each.sparser is not None:
        found = each.sparser
        parts.append(f"--epsilon {found.epsilon:g}: {found.connections:,} connections ({found.density:.2%})")
    if each.pruned is not None:
        found = each.pruned
        hidden = "-".join(map(str, found.layer_sizes[1:-1]))
        parts.append(f"importance pruning at percentile {found.percentile}: {found.connections:,}, hidden {hidden}")
    return "; or ".join(parts) or "fewer inputs, hidden neurons or outputs"
