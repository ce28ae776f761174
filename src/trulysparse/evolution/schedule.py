"""When topology evolves, and how much of it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError


def constant(elapsed: float) -> float:
    """1 throughout."""
    return 1.0


def cosine(elapsed: float) -> float:
    """From 1 to 0 along half a cosine (Evci et al. 2020, eq. 1)."""
    return 0.5 * (1 + math.cos(math.pi * elapsed))


def linear(elapsed: float) -> float:
    """From 1 to 0 along a line."""
    return 1 - elapsed


DECAYS: dict[str, Callable[[float], float]] = {"constant": constant, "cosine": cosine, "linear": linear}


def checked_end(until: Any) -> int | float | None:
    """`until` as an int (updates) or a float (a fraction of training), or InputError."""
    if until is None:
        return None
    if isinstance(until, numbers.Integral):
        return checks.integer("until", until, low=1)
    return checks.real("until", until, low=0, high=1, low_open=True)


def end_in_updates(stop: float, until: int | float | None, total: int | None) -> float:
    """Updates after which something ends; infinity where it ends with the training, of unknown length."""
    if isinstance(until, int):
        return until
    share = until or stop
    if total is None and share < 1:
        raise InputError(f"the total number of updates must be given: the end is {share} of it")
    return math.inf if total is None else share * total


def updates_at(training_progress: float, total: int | None) -> int:
    """Updates that are over at a point of training."""
    if training_progress == 0:
        return 0
    if total is None:
        raise InputError("the total number of updates must be given where `until` is a number of updates")
    return round(training_progress * total)  # exact: training_progress is a multiple of 1 / total


@dataclass(frozen=True)
class Schedule:
    """Evolves every `every_updates` updates or every `every_epochs` epochs, and never after the last update.

    Args:
        fraction: of a layer's connections to replace at the start, in [0, 1].
        every_steps: the earlier name of every_updates.
        every_epochs: epochs between evolutions, at least 1.
        decay: how the fraction falls: 'constant', 'cosine' or 'linear', or a function of the part of the time until
            the end of evolution that is over (0 to 1) whose result multiplies the fraction.
        stop: fraction of training after which the topology no longer changes, in (0, 1].
        every_updates: updates between evolutions, at least 1. Either this or every_epochs must be given.
        until: the end, in place of `stop`: an integer is a number of updates (at least 1), a float a fraction of
            training in (0, 1]. None: `stop`.

    Raises:
        InputError: where an argument is out of range, or not exactly one interval is given.

    Example:
        >>> import trulysparse as ts
        >>> schedule = ts.Schedule(0.3, every_updates=100, decay="linear", until=500)
        >>> [done for done in range(1001) if schedule.due(done, 50, 1000)]
        [100, 200, 300, 400, 500]
        >>> schedule.fraction_at(0.25, total=1000)
        0.15
    """

    fraction: float = 0.3
    every_steps: int | None = None
    every_epochs: int | None = None
    decay: str | Callable[[float], float] = "constant"
    stop: float = 1.0
    every_updates: int | None = None
    until: int | float | None = None

    def __post_init__(self) -> None:
        checks.real("fraction", self.fraction, low=0, high=1)
        checks.real("stop", self.stop, low=0, high=1, low_open=True)
        object.__setattr__(self, "until", checked_end(self.until))
        intervals = {name: getattr(self, name) for name in ("every_updates", "every_steps", "every_epochs")}
        given = {name: value for name, value in intervals.items() if value is not None}
        if len(given) != 1:
            raise InputError("a Schedule needs either every_updates or every_epochs")
        for name, value in given.items():
            checks.integer(name, value, low=1)
        if not callable(self.decay):
            checks.choice("decay", self.decay, tuple(DECAYS))

    def in_updates(self, every_updates: int | None = None, until: int | float | None = None) -> Schedule:
        """This schedule with another clock.

        Args:
            every_updates: updates between evolutions, at least 1; None: the interval stays.
            until: see Schedule; None: the end stays.

        Returns:
            The new schedule.

        Raises:
            InputError: where an argument is out of range.

        Example:
            >>> import trulysparse as ts
            >>> ts.Schedule(0.3, every_epochs=1).in_updates(1000, until=50_000).every_updates
            1000
        """
        changes: dict[str, Any] = {}
        if every_updates is not None:
            changes |= {"every_updates": every_updates, "every_steps": None, "every_epochs": None}
        if until is not None:
            changes["until"] = until
        return replace(self, **changes)

    @property
    def needs_total(self) -> bool:
        """Whether the schedule depends on how many updates the whole training has."""
        if isinstance(self.until, int):
            return False
        return self.decay not in ("constant", constant) or (self.until or self.stop) < 1

    def due(self, done: int, steps_per_epoch: int | None, total: int | None) -> bool:
        """Whether to evolve now.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch; None only where the interval is in updates.
            total: updates of the whole training; None where that is not known and not needed.

        Returns:
            True where `done` is a multiple of the interval, not past the end and not the last update.

        Raises:
            InputError: where a number is None that is needed.
        """
        interval = self.every_updates or self.every_steps
        if interval is None:
            if steps_per_epoch is None:
                raise InputError("the updates per epoch must be given: this schedule counts epochs")
            interval = (self.every_epochs or 1) * steps_per_epoch
        last = math.inf if total is None else total
        return 0 < done < last and done <= self.end(total) and done % interval == 0

    def end(self, total: int | None) -> float:
        """Updates after which the topology no longer changes; infinity where that is the end of a training of unknown
        length."""
        return end_in_updates(self.stop, self.until, total)

    def elapsed(self, training_progress: float, total: int | None = None) -> float:
        """The part of the time until the end of evolution that is over.

        Args:
            training_progress: fraction of training that is over, 0 to 1.
            total: updates of the whole training; needed where `until` is a number of updates.

        Returns:
            0 to 1.

        Raises:
            InputError: where `total` is needed and None.
        """
        if isinstance(self.until, int):
            return min(1.0, updates_at(training_progress, total) / self.until)
        return min(1.0, training_progress / (self.until or self.stop))

    def fraction_at(self, training_progress: float, total: int | None = None) -> float:
        """The fraction of connections to replace at a point of training.

        Args:
            training_progress: fraction of training that is over, 0 to 1.
            total: updates of the whole training; needed where `until` is a number of updates.

        Returns:
            The fraction, in [0, 1].

        Raises:
            InputError: where `total` is needed and None.
        """
        decay = self.decay if callable(self.decay) else DECAYS[self.decay]
        return min(1.0, max(0.0, self.fraction * decay(self.elapsed(training_progress, total))))
