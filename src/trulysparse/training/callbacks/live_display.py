"""How a training in progress is drawn on a terminal. Imported where it is shown only: it loads Rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.text import Text

from trulysparse._core.bars import quantity
from trulysparse._core.memory import human
from trulysparse._core.terminal import stdout_is_terminal

_GAP = "  "
_LONGEST, _SHORTEST = 40, 8  # columns of a bar
_REFRESHES = 5  # per second


@dataclass
class Line:
    """One worker's batches, or other work between updates. total: None where there is no end to it."""

    name: str
    done: float = 0.0
    total: float | None = None
    loss: float | None = None


@dataclass
class LiveDisplay:
    """The figures of a training; drawn as many columns wide as there are.

    Args:
        epochs: how many there will be.
        total: updates of all epochs.
        epoch: in progress, from 1.
        done: updates so far.

    Attributes:
        loss: mean of the epoch so far; None before the first update.
        score: name and value of the last validation score, or ''.
        samples_per_second, connections, neurons, memory, seconds_left: None: not known.
        workers: a line for each worker, by number.
        work: a line for each kind of other work in progress, by name.
    """

    epochs: int
    total: int
    epoch: int = 1
    done: int = 0
    loss: float | None = None
    score: str = ""
    samples_per_second: float | None = None
    connections: int | None = None
    neurons: int | None = None
    memory: int | None = None
    seconds_left: float | None = None
    workers: dict[int, Line] = field(default_factory=dict)
    work: dict[str, Line] = field(default_factory=dict)

    def live(self, console: Console) -> Live:
        """Shows these figures, several times per second, from a thread of its own. What is printed to a standard output
        that is no terminal goes there as ever."""
        return Live(
            self,
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES,
            redirect_stdout=console.file is not None and stdout_is_terminal(),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines."""
        width = options.max_width
        left = "" if self.seconds_left is None else f"{clock(self.seconds_left)} left"
        yield from _bar_line(
            [f"epoch {min(self.epoch, self.epochs)}/{self.epochs}"],
            (self.done, self.total),
            [f"{self.done}/{self.total}", left],
            width,
        )
        for text in packed(self.figures(), width):
            yield Text(text, no_wrap=True, overflow="ellipsis")
        for line in list(self.workers.values()):
            loss = "" if line.loss is None else f"loss {line.loss:.4f}"
            parts = [f"  {line.name}", f"{line.done:.0f} batches", loss]
            yield Text(_GAP.join(filter(None, parts)), no_wrap=True, overflow="ellipsis")
        for line in list(self.work.values()):
            share = 0.0 if not line.total else line.done / line.total
            yield from _bar_line([f"  {line.name}"], (share, 1), [f"{share:.0%}"], width)

    def figures(self) -> list[str]:
        """What is known, as short texts."""
        return [
            text
            for text, known in (
                (f"loss {self.loss or 0:.4f}", self.loss is not None),
                (self.score, self.score),
                (f"{quantity(self.samples_per_second or 0)} samples/s", self.samples_per_second is not None),
                (f"{quantity(self.connections or 0)} connections", self.connections is not None),
                (f"{quantity(self.neurons or 0)} neurons", self.neurons is not None),
                (f"{human(self.memory or 0)} memory", self.memory is not None),
            )
            if known
        ]


def packed(texts: Sequence[str], width: int) -> list[str]:
    """The texts in as few lines of at most `width` columns as their order allows; none is cut."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(_GAP) + len(text) <= width:
            lines[-1] += _GAP + text
        else:
            lines.append(text)
    return lines


def clock(seconds: float) -> str:
    """3725 -> '1:02:05'."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _bar_line(
    before: Sequence[str], share: tuple[float, float], after: Sequence[str], width: int
) -> Iterator[Text | Bar]:
    """A line of texts with a bar between them, which takes the room that is left; none where that is too little."""
    head, tail = _GAP.join(filter(None, before)), _GAP.join(filter(None, after))
    room = min(_LONGEST, width - len(head) - len(tail) - 2 * len(_GAP))
    if room < _SHORTEST:
        yield Text(f"{head}{_GAP}{tail}", no_wrap=True, overflow="ellipsis")
        return
    done, total = share
    yield Text(head + _GAP, end="")
    yield Bar(total=max(total, 1e-300), completed=min(done, total), width=room)
    yield Text(_GAP + tail)
