"""How long work reports its progress: it calls a function with the name of the work ('building', 'saving', ...), how
much of it is done and how much there is in all; equal amounts mean that it is finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float, float], None]


def silent(what: str, done: float, total: float) -> None:
    """Shows nothing."""
