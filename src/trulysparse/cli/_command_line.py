"""The command that repeats a training, from its settings: also where it was broken off and resumed."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from trulysparse.cli._settings import Settings


def command_line(settings: Settings, out: Path) -> str:
    """The command that repeats a training, with the options that are not at their defaults.

    Args:
        settings: of the training.
        out: its run folder.

    Example:
        >>> command_line(Settings(data="my digits.csv", hidden=(64, 32), stream=True), Path("runs/1"))
        "trulysparse train 'my digits.csv' --out runs/1 --stream --hidden 64,32"
    """
    words = ["trulysparse", "train", settings.data, "--out", str(out)]
    shared = [each for each in fields(Settings) if each.name != "data" and each.default is not MISSING]
    in_order = sorted(shared, key=lambda each: each.name in {own.name for own in fields(Settings.__mro__[1])})
    for each in in_order:
        value = getattr(settings, each.name)
        if value != each.default:
            words += option_words(each.name, value, each.metadata["flags"])
    return shlex.join(words)


def option_words(name: str, value: Any, flags: tuple[str, ...] = ()) -> list[str]:
    """An option with its value, as a command line has it."""
    if isinstance(value, bool):
        on, _, off = (flags[0] if flags else f"--{name.replace('_', '-')}/--no-{name.replace('_', '-')}").partition("/")
        return [on if value else off]
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return [f"--{name.replace('_', '-')}", text]
