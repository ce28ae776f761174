"""The command that repeats a training."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trulysparse.cli import app
from trulysparse.cli._command_line import command_line
from trulysparse.cli._settings import Settings

CHANGES = [
    {},
    {"target": "the price", "hidden": (5, 4), "stream": True, "learning_rate": 0.5},
    {"header": False, "zero_based": True, "balance": False, "checkpoints": False},
    {"header": True, "zero_based": False, "validation_fraction": 0.1, "cv": 3, "ignore": "a,b"},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_the_command_gives_the_same_settings(monkeypatch, changes):
    """The words go through the command's own parser."""
    seen = []
    monkeypatch.setattr(sys.modules["trulysparse.cli.train"], "start_training", seen.append)
    settings = Settings(data="it's a file.csv", **changes)
    words = shlex.split(command_line(settings, Path("runs/a b")))
    assert words[0] == "trulysparse"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert (seen[0].settings, seen[0].out) == (settings, Path("runs/a b"))


def test_defaults_are_left_out():
    assert command_line(Settings(data="digits"), Path("r")) == "trulysparse train digits --out r"
