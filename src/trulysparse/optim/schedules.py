"""Learning-rate schedules: a rate as a function of how many epochs have passed.

A schedule is any object with a method `at(epoch, epochs)`; see LearningRate."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, replace
from typing import Protocol

from trulysparse._core import checks
from trulysparse.errors import InputError


class LearningRate(Protocol):
    """A learning-rate schedule: what optimizers take in the place of a number.

    Example:
        A schedule of one's own:

        >>> import trulysparse as ts
        >>> class InverseRoot:
        ...     def at(self, epoch, epochs):
        ...         return 0.1 / (1 + epoch) ** 0.5
        >>> optimizer = ts.SGD(InverseRoot())
        >>> [optimizer.rule(0, epoch, 10).learning_rate for epoch in (0.0, 3.0)]
        [0.1, 0.05]
    """

    def at(self, epoch: float, epochs: int | None) -> float:
        """The rate at a time. Asked for at each step.

        Args:
            epoch: epochs that are over, a fraction within one.
            epochs: of the training; None outside fit.

        Returns:
            The learning rate, at least 0.
        """


@dataclass(frozen=True)
class ConstantRate:
    """The same rate throughout.

    Args:
        rate: above 0.

    Raises:
        InputError: where rate is out of range.

    Example:
        >>> import trulysparse as ts
        >>> ts.ConstantRate(0.1).at(5.0, 10)
        0.1
    """

    rate: float

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See LearningRate.at."""
        return self.rate


@dataclass(frozen=True)
class StepRate:
    """rate * factor^floor(epoch / every).

    Args:
        rate: above 0.
        every: epochs between two falls, at least 1.
        factor: above 0.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import trulysparse as ts
        >>> [ts.StepRate(1.0, every=2, factor=0.5).at(epoch, None) for epoch in (0, 1.9, 2, 4)]
        [1.0, 1.0, 0.5, 0.25]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)
        checks.integer("every", self.every, low=1)
        checks.real("factor", self.factor, low=0, low_open=True)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See LearningRate.at."""
        return self.rate * self.factor ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class CosineRate:
    """Rises linearly from 0 to `rate`, then falls along a half cosine to `final` at the last epoch.

    Args:
        rate: the highest rate, above 0.
        warmup: epochs of the rise, at least 0.
        final: rate at the end, at least 0.
        epochs: length of the schedule; None: that of the call of fit.

    Raises:
        InputError: where an argument is out of range, or where steps are taken outside fit and epochs is None.

    Source:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), eq. 5, without restarts.

    Example:
        >>> import trulysparse as ts
        >>> rate = ts.CosineRate(1.0, warmup=2, epochs=10)
        >>> [round(rate.at(epoch, None), 3) for epoch in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    rate: float
    warmup: float = 0.0
    final: float = 0.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        checks.real("learning_rate", self.rate, low=0, low_open=True)
        checks.real("warmup", self.warmup, low=0)
        checks.real("final", self.final, low=0)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See LearningRate.at."""
        length = self.epochs if self.epochs is not None else epochs
        if length is None:
            raise InputError("CosineRate(epochs=...) must be given where steps are taken outside fit")
        if epoch < self.warmup:
            return self.rate * epoch / self.warmup
        share = min(1.0, (epoch - self.warmup) / max(length - self.warmup, 1e-9))
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class ScaledRate:
    """Another schedule times `factor`, for batches `factor` times as large.

    Args:
        base: the schedule.
        factor: above 0; reached along a line from 1.
        warmup: epochs until it is reached, at least 0.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), sections 2.1 and 2.2.

    Example:
        >>> import trulysparse as ts
        >>> rate = ts.ScaledRate(ts.ConstantRate(0.1), factor=5.0, warmup=4)
        >>> [round(rate.at(epoch, None), 3) for epoch in (0, 2, 4, 8)]
        [0.1, 0.3, 0.5, 0.5]
    """

    base: LearningRate
    factor: float
    warmup: float = 5.0

    def __post_init__(self) -> None:
        check_schedule("base", self.base)
        checks.real("factor", self.factor, low=0, low_open=True)
        checks.real("warmup", self.warmup, low=0)

    def at(self, epoch: float, epochs: int | None) -> float:
        """See LearningRate.at."""
        share = min(1.0, epoch / self.warmup) if self.warmup else 1.0
        return rate_at(self.base, epoch, epochs) * (1 + (self.factor - 1) * share)


@dataclass(frozen=True)
class ContinuedRate:
    """Another schedule from its epoch `done` on, where training over `epochs` in all comes in several calls of fit.

    Args:
        base: the schedule.
        done: epochs of earlier calls.
        epochs: of all calls.
    """

    base: LearningRate
    done: int
    epochs: int

    def at(self, epoch: float, epochs: int | None) -> float:
        """See LearningRate.at."""
        return rate_at(self.base, self.done + epoch, self.epochs)


def scaled(rate: LearningRate, factor: float, warmup: float) -> LearningRate:
    """A schedule times `factor`; see ScaledRate. One that continues does not warm up again."""
    if isinstance(rate, ContinuedRate):
        return replace(rate, base=ScaledRate(rate.base, factor, warmup))
    return ScaledRate(rate, factor, warmup)


def make_schedule(rate: LearningRate | float) -> LearningRate:
    """A schedule from itself or from a constant rate; InputError where it is neither."""
    if isinstance(rate, numbers.Real):
        return ConstantRate(rate)  # type: ignore[arg-type]  # checked there
    check_schedule("learning_rate", rate)
    return rate  # type: ignore[return-value]


def check_schedule(name: str, rate: object) -> None:
    """InputError where an argument is not a schedule; see LearningRate."""
    if isinstance(rate, type) and hasattr(rate, "at"):
        raise InputError(f"{name} must be a schedule, not a class of schedules: make one, {rate.__name__}(...)")
    if not callable(getattr(rate, "at", None)):
        raise InputError(
            f"{name} must be a number or a schedule, an object with a method at(epoch, epochs), not "
            f"{checks.plain(rate)!r:.80}"
        )


def rate_at(rate: LearningRate | float, epoch: float, epochs: int | None) -> float:
    """The learning rate of a step: what an optimizer's rule calls.

    Args:
        rate: a schedule or a number.
        epoch: epochs that are over, a fraction within one.
        epochs: of the training; None outside fit.

    Returns:
        The rate, at least 0.

    Raises:
        InputError: where the schedule returns something else.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.optim import rate_at
        >>> rate_at(0.1, 2.5, 10), rate_at(ts.StepRate(1.0, every=2), 2.5, 10)
        (0.1, 0.1)
    """
    if not hasattr(rate, "at"):  # quicker than to ask whether it is a number
        return float(rate)
    value = rate.at(epoch, epochs)
    if type(value) is float and 0 <= value < math.inf:
        return value
    return checks.real(f"what {rate!r:.80}.at(epoch={epoch:g}, epochs={epochs}) returns", value, low=0)
