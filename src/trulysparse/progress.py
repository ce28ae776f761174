"""How long work tells how far it is. A Progress is called with what is done ('building', 'saving', ...), how much of it
is over and how much there is in all; equal amounts mean that it is finished."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float, float], None]


def silent(what: str, done: float, total: float) -> None:
    """Tells nobody."""


@contextmanager
def bars() -> Iterator[Progress]:
    """A Progress that shows a bar with rate and time left for each kind of work, on the standard error stream where
    that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield silent
        return
    shown = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: float, total: float) -> None:
        if what not in tasks:
            tasks[what] = shown.add_task(what, total=total, rate="")
        task = tasks[what]
        speed = shown.tasks[shown.task_ids.index(task)].finished_speed or shown.tasks[shown.task_ids.index(task)].speed
        shown.update(task, completed=done, total=total, rate=f"{quantity(speed)}/s" if speed else "")
        if done >= total:
            shown.remove_task(tasks.pop(what))

    with shown:
        yield tell


def quantity(n: float) -> str:
    """1234567 -> '1.2 M'."""
    for unit in ("", " k", " M", " G"):
        if abs(n) < 1000 or unit == " G":
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:.3g}"
