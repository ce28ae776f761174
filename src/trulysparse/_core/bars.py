"""Progress bars on a terminal. Imported where they are shown only: it loads Rich."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from trulysparse._core.progress import Progress, silent


class RateColumn(ProgressColumn):
    """How much is done per second."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing as long as it is not known."""
        speed = task.finished_speed or task.speed
        return Text(f"{quantity(speed)}/s" if speed else "", style="progress.data.speed")


@contextmanager
def bars() -> Iterator[Progress]:
    """A Progress that shows a bar with rate and time left for each kind of work, on the standard error stream where
    that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), RateColumn(), TimeRemainingColumn())
    shown = Bars(*columns, console=console, transient=True)
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: float, total: float) -> None:
        if what not in tasks:
            tasks[what] = shown.add_task(what, total=total)
        shown.update(tasks[what], completed=done, total=total)
        if done >= total:
            shown.remove_task(tasks.pop(what))

    with shown:
        yield tell


def quantity(n: float) -> str:
    """1234567 -> '1.23 M'."""
    for unit in ("", " k", " M"):
        if abs(n) < 1000:
            return f"{n:.3g}{unit}"
        n /= 1000
    return f"{n:.3g} G"
