"""When topology evolves, and how much of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Schedule:
    """Evolves every `every_steps` updates or every `every_epochs` epochs, and never after the last update.

    Args:
        fraction: of a layer's connections to replace at the start, in [0, 1].
        every_steps: updates between evolutions, at least 1.
        every_epochs: epochs between evolutions, at least 1. One of the two must be given.
        decay: how the fraction falls: 'constant', 'cosine' or 'linear', or a function of the part of the time until
            `stop` that is over (0 to 1) whose result multiplies the fraction.
        stop: fraction of training after which the topology no longer changes, in (0, 1].

    Raises:
        InputError: where an argument is out of range, or not exactly one interval is given.

    Example:
        >>> import trulysparse as ts
        >>> schedule = ts.Schedule(0.3, every_steps=100, decay="linear", stop=0.5)
        >>> [done for done in range(1001) if schedule.due(done, 50, 1000)]
        [100, 200, 300, 400, 500]
        >>> schedule.fraction_at(0.25)
        0.15
    """

    fraction: float = 0.3
    every_steps: int | None = None
    every_epochs: int | None = None
    decay: str | Callable[[float], float] = "constant"
    stop: float = 1.0

    def __post_init__(self) -> None:
        checks.real("fraction", self.fraction, low=0, high=1)
        checks.real("stop", self.stop, low=0, high=1, low_open=True)
        if (self.every_steps is None) == (self.every_epochs is None):
            raise InputError("a Schedule needs either every_steps or every_epochs")
        name = "every_epochs" if self.every_steps is None else "every_steps"
        checks.integer(name, getattr(self, name), low=1)
        if not callable(self.decay):
            checks.choice("decay", self.decay, tuple(DECAYS))

    def due(self, done: int, steps_per_epoch: int, total: int) -> bool:
        """Whether to evolve now.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch.
            total: updates of the whole training.

        Returns:
            True where `done` is a multiple of the interval, not past `stop` and not the last update.
        """
        interval = self.every_steps or (self.every_epochs or 1) * steps_per_epoch
        return 0 < done < total and done <= self.stop * total and done % interval == 0

    def fraction_at(self, training_progress: float) -> float:
        """The fraction of connections to replace at a point of training.

        Args:
            training_progress: fraction of training that is over, 0 to 1.

        Returns:
            The fraction, in [0, 1].
        """
        decay = self.decay if callable(self.decay) else DECAYS[self.decay]
        return min(1.0, max(0.0, self.fraction * decay(min(1.0, training_progress / self.stop))))


@dataclass(frozen=True)
class CubicDensity:
    """The number of connections of the whole network falls along a cubic between `start` and `stop`, then is constant.

    Args:
        final: fraction of the initial connections that is left at the end, in (0, 1].
        start: fraction of training after which the number begins to fall, in [0, 1].
        stop: fraction of training after which it no longer falls, in (start, 1].

    Raises:
        InputError: where an argument is out of range.

    Source:
        Zhu and Gupta, "To prune, or not to prune" (2017), eq. 1.

    Example:
        >>> import trulysparse as ts
        >>> density = ts.CubicDensity(0.2, stop=0.5)
        >>> [density.target(1000, training_progress) for training_progress in (0.0, 0.25, 0.5, 1.0)]
        [1000, 300, 200, 200]
    """

    final: float
    start: float = 0.0
    stop: float = 0.75

    def __post_init__(self) -> None:
        checks.real("final", self.final, low=0, high=1, low_open=True)
        checks.real("start", self.start, low=0, high=1)
        checks.real("stop", self.stop, low=self.start, high=1, low_open=True)

    def target(self, initial: int, training_progress: float) -> int:
        """The number of connections there should be at a point of training.

        Args:
            initial: connections at the start of training.
            training_progress: fraction of training that is over, 0 to 1.

        Returns:
            The number of connections.
        """
        p = min(1.0, max(0.0, (training_progress - self.start) / (self.stop - self.start)))
        return round(initial * (self.final + (1 - self.final) * (1 - p) ** 3))
