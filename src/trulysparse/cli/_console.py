"""How the command line speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError

P = ParamSpec("P")


def speaks_plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Turns errors that a user can act on into one sentence and an exit code: 2 for bad input, 1 for a run
    that failed."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (InputError, NotEnoughMemoryError, MissingExtraError) as error:
            _fail(str(error), 2)
        except (DivergenceError, OSError) as error:
            _fail(str(error), 1)

    return wrapped


def _fail(message: str, code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def peak_rss_mb() -> float:
    """The largest resident size of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def show(title: str, rows: dict[str, Any]) -> None:
    """A two-column table."""
    table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def print_json(values: dict[str, Any]) -> None:
    """One object on one line; a figure that is not finite is null, as JSON knows no other."""
    typer.echo(json.dumps({name: _or_null(value) for name, value in values.items()}, allow_nan=False))


def _or_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _or_null(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_or_null(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
