"""Learning-rate schedules: a rate as a function of how many epochs have passed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from trulysparse._core import checks
from trulysparse.errors import InputError


@dataclass(frozen=True)
class ConstantRate:
    """The same rate throughout."""

    rate: float

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)

    def at(self, epoch: float, epochs: int | None) -> float:
        """The rate when `epoch` epochs (a fraction within one) of `epochs` have passed."""
        return self.rate


@dataclass(frozen=True)
class StepRate:
    """`rate`, multiplied by `factor` after every `every` epochs."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)
        checks.integer("every", self.every, low=1)
        checks.real("factor", self.factor, low=0, low_open=True)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See ConstantRate.at."""
        return self.rate * self.factor ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class CosineRate:
    """Rises linearly from 0 to `rate` over `warmup` epochs, then falls along a half cosine to `final` at the
    last epoch (Loshchilov and Hutter 2017). epochs: the length; None: that of the call to fit."""

    rate: float
    warmup: float = 0.0
    final: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)
        checks.real("warmup", self.warmup, low=0)
        checks.real("final", self.final, low=0)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See ConstantRate.at."""
        length = self.epochs if self.epochs is not None else epochs
        if length is None:
            raise InputError("CosineRate(epochs=...) must be given where steps are taken outside fit")
        if epoch < self.warmup:
            return self.rate * epoch / self.warmup
        progress = min(1.0, (epoch - self.warmup) / max(length - self.warmup, 1e-9))
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class ScaledRate:
    """Another schedule times `factor`, which is reached along a line from 1 over `warmup` epochs: for batches `factor`
    times as large (Goyal et al. 2017, "Accurate, large minibatch SGD", sections 2.1 and 2.2)."""

    base: LearningRate
    factor: float
    warmup: float = 5.0

    def __post_init__(self) -> None:
        checks.real("factor", self.factor, low=0, low_open=True)
        checks.real("warmup", self.warmup, low=0)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See ConstantRate.at."""
        share = min(1.0, epoch / self.warmup) if self.warmup else 1.0
        return self.base.at(epoch, epochs) * (1 + (self.factor - 1) * share)


@dataclass(frozen=True)
class ContinuedRate:
    """Another schedule from its epoch `done` on, where training over `epochs` in all comes in several calls of fit."""

    base: LearningRate
    done: int
    epochs: int

    def at(self, epoch: float, epochs: int | None) -> float:
        """See ConstantRate.at."""
        return self.base.at(self.done + epoch, self.epochs)


LearningRate: TypeAlias = ConstantRate | StepRate | CosineRate | ScaledRate | ContinuedRate


def scaled(rate: LearningRate, factor: float, warmup: float) -> LearningRate:
    """A schedule times `factor`; see ScaledRate. The warm-up of one that goes on is not begun anew."""
    if isinstance(rate, ContinuedRate):
        return replace(rate, base=ScaledRate(rate.base, factor, warmup))
    return ScaledRate(rate, factor, warmup)


def make_schedule(rate: LearningRate | float) -> LearningRate:
    """A schedule from itself or from a constant rate."""
    if isinstance(rate, float):
        return _constant(rate)
    return rate if isinstance(rate, LearningRate) else ConstantRate(rate)


@lru_cache(maxsize=64)  # asked for at every step
def _constant(rate: float) -> ConstantRate:
    return ConstantRate(rate)
