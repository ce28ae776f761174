"""The command line: one file a sub-command."""

from __future__ import annotations

import typer

from trulysparse.cli.bench import bench
from trulysparse.cli.evaluate import evaluate
from trulysparse.cli.info import info
from trulysparse.cli.plan import plan
from trulysparse.cli.predict import predict
from trulysparse.cli.resume import resume
from trulysparse.cli.train import train

app = typer.Typer(
    name="trulysparse",
    help="Train and use truly sparse neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (train, resume, evaluate, predict, info, plan, bench):
    app.command()(command)


def main() -> None:
    """Entry point of the `trulysparse` command."""
    app()


__all__ = ["app", "main"]
