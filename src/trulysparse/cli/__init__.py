"""The command line: one file per sub-command."""

from __future__ import annotations

from typing import Annotated

import typer

from trulysparse._core import first_signals
from trulysparse._core.version import __version__
from trulysparse.cli._interrupts import Interrupts, Stopped
from trulysparse.cli.bench import bench
from trulysparse.cli.compare import compare
from trulysparse.cli.device_budget import device_budget
from trulysparse.cli.evaluate import evaluate
from trulysparse.cli.export import export
from trulysparse.cli.grid import smart_grid
from trulysparse.cli.info import info
from trulysparse.cli.plan import plan
from trulysparse.cli.predict import predict
from trulysparse.cli.resume import resume
from trulysparse.cli.rl import agents
from trulysparse.cli.select import select
from trulysparse.cli.train import train


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trulysparse {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="trulysparse",
    help="Train and use truly sparse neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and end.")
    ] = False,
) -> None:
    """Train and use truly sparse neural networks."""


for command in (train, resume, evaluate, predict, info, export, device_budget, select, compare, plan, bench):
    app.command()(command)
app.add_typer(agents)
app.add_typer(smart_grid)


def main() -> None:
    """Entry point of the `trulysparse` command. Signals that no command handles itself end it with a sentence."""
    try:
        with Interrupts():
            app()
    except Stopped as stop:
        typer.echo(first_signals.sentence(), err=True)
        raise SystemExit(stop.exit_code) from None
    finally:
        first_signals.take_last()


__all__ = ["app", "main"]
