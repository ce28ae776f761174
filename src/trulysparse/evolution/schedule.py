"""When topology evolves, and how much of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from trulysparse._core import checks
from trulysparse.errors import InputError


def constant(progress: float) -> float:
    """1 throughout."""
    return 1.0


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine (Evci et al. 2020, eq. 1)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def linear(progress: float) -> float:
    """From 1 to 0 along a line."""
    return 1 - progress


DECAYS: dict[str, Callable[[float], float]] = {"constant": constant, "cosine": cosine, "linear": linear}


@dataclass(frozen=True)
class Schedule:
    """Evolves every `every_steps` updates or every `every_epochs` epochs, until the share `stop` of training is over
    and never after its last update.

    fraction: of connections to replace at the start, in [0, 1]. decay: 'constant', 'cosine' or 'linear', or a function
    of progress towards `stop` (0 to 1) that multiplies the fraction.
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
        """Whether to evolve when `done` of `total` updates are over."""
        interval = self.every_steps or (self.every_epochs or 1) * steps_per_epoch
        return 0 < done < total and done <= self.stop * total and done % interval == 0

    def fraction_at(self, progress: float) -> float:
        """The fraction to replace when the share `progress` of training is over."""
        decay = self.decay if callable(self.decay) else DECAYS[self.decay]
        return min(1.0, max(0.0, self.fraction * decay(min(1.0, progress / self.stop))))


@dataclass(frozen=True)
class CubicDensity:
    """Connections of the whole network fall from the starting number to the share `final` of it along a cubic between
    the shares `start` and `stop` of training (Zhu and Gupta 2017, eq. 1), then stay."""

    final: float
    start: float = 0.0
    stop: float = 0.75

    def __post_init__(self) -> None:
        checks.real("final", self.final, low=0, high=1, low_open=True)
        checks.real("start", self.start, low=0, high=1)
        checks.real("stop", self.stop, low=self.start, high=1, low_open=True)

    def target(self, initial: int, progress: float) -> int:
        """Connections there should be when the share `progress` of training is over."""
        p = min(1.0, max(0.0, (progress - self.start) / (self.stop - self.start)))
        return round(initial * (self.final + (1 - self.final) * (1 - p) ** 3))
