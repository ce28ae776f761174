"""Homes on a grid on the command line: `trulysparse grid`, one file per sub-command."""

from __future__ import annotations

import typer

from trulysparse.cli.grid.bound import bound
from trulysparse.cli.grid.report import report
from trulysparse.cli.grid.run import run

_HELP = "Homes with PV and batteries that each learn: a smart grid."
smart_grid = typer.Typer(name="grid", help=_HELP, no_args_is_help=True)

for command in (run, bound, report):
    smart_grid.command()(command)

__all__ = ["smart_grid"]
