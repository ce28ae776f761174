"""Agents on the command line: `trulysparse rl`, one file per sub-command."""

from __future__ import annotations

import typer

from trulysparse.cli.rl.compare import compare
from trulysparse.cli.rl.evaluate import evaluate
from trulysparse.cli.rl.resume import resume
from trulysparse.cli.rl.train import train

agents = typer.Typer(name="rl", help="Train agents, and use them: reinforcement learning.", no_args_is_help=True)

for command in (train, resume, evaluate, compare):
    agents.command()(command)

__all__ = ["agents"]
