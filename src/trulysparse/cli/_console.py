"""Output of the command line: results on standard output, everything else on standard error."""

from __future__ import annotations

import io
import json
import math
import os
import resource
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError

P = ParamSpec("P")
_MOST_NOTES = 12


def handle_user_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turns errors that a user can act on into one sentence and an exit code: 2 for bad input, 1 for a run
    that failed."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # labels that the terminal cannot show
        try:
            command(*args, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # the reader has gone; files have been written all the same
            _discard_output()
        except (InputError, NotEnoughMemoryError, MissingExtraError) as error:
            _fail(str(error), 2)
        except MemoryError:
            _fail("this needs more memory than there is; `trulysparse plan` says how much a training needs", 2)
        except OSError as error:
            _discard_unwritten()
            _fail(os_error_text(error), 1)
        except DivergenceError as error:
            _discard_unwritten()
            _fail(str(error), 1)

    return wrapped


def os_error_text(error: OSError) -> str:
    """What the system refused and for which file, without its error numbers."""
    if error.strerror is None:
        return str(error)
    name = error.filename2 or error.filename
    return error.strerror if name is None else f"'{name}' cannot be used: {error.strerror}"


def _fail(message: str, code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _discard_unwritten() -> None:
    """Where standard output takes nothing (a full disk), what is buffered would fail again when the process ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Discards standard output from here on, so that the process does not fail for it when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def peak_rss_mb() -> float:
    """The largest resident size of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def show_notes(notes: Sequence[str]) -> None:
    """What was detected or guessed in the data, on standard error; of many notes the first ones."""
    for note in notes[:_MOST_NOTES]:
        typer.echo(f"note: {note}", err=True)
    if len(notes) > _MOST_NOTES:
        typer.echo(f"note: {len(notes) - _MOST_NOTES} more; --report shows all", err=True)


def show(title: str, rows: dict[str, Any]) -> None:
    """A two-column table. Titles and values are shown as they stand: labels and file names may hold [brackets], which
    Rich would take for markup."""
    table = Table(title=Text(title), show_header=False, title_justify="left", title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, Text(str(value)))
    print_table(table)


def print_table(table: Table) -> None:
    """Prints a table as wide as the terminal, or in 120 columns where there is none."""
    console = wide_console()
    with console.capture() as text:
        console.print(table)
    print(text.get(), end="", flush=True)


def wide_console() -> Console:
    """A console as wide as the terminal, or of 120 columns where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def print_json(values: dict[str, Any]) -> None:
    """One object on one line; a figure that is not finite becomes null, which is what JSON has for it."""
    print(json.dumps({name: or_null(value) for name, value in values.items()}, allow_nan=False), flush=True)


def or_null(value: Any) -> Any:
    """A value with null for figures in it that are not finite."""
    if isinstance(value, dict):
        return {name: or_null(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [or_null(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
