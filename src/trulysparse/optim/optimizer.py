"""What an optimizer is, and the one check that everything takes which is given one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.optim.rules import Rule, check_state
from trulysparse.optim.schedules import LearningRate, make_schedule
from trulysparse.optim.state import FRESH

MOST_SLOTS = 2  # that kernels move along with connections


class Optimizer(Protocol):
    """How parameters change by their gradients: SGD, Adam, or an object of one's own with these two members.

    It may have others, each of which has a default:

    - `learning_rate`, a number or a schedule: parallel training with WASSP and `partial_fit` of estimators put another
      in its place, in a copy of the optimizer.
    - `state`, the type of its state: 'float32', 'bfloat16' or None, that of the weights.
    - `fresh_slots`, what connections that evolution adds start with in each array of state: 'zero', or the 'median'
      over the connections that remain. Without it, zero.

    Example:
        RMSprop (Tieleman and Hinton 2012, lecture 6e), in arrays:

        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.optim import rate_at
        >>> class RMSpropRule:
        ...     def __init__(self, learning_rate):
        ...         self.learning_rate = learning_rate
        ...     def update(self, values, gradient, slots, is_bias):
        ...         square = slots[0]
        ...         square *= 0.9
        ...         square += 0.1 * gradient**2
        ...         values -= self.learning_rate * gradient / (np.sqrt(square) + 1e-8)
        >>> class RMSprop:
        ...     n_slots = 1
        ...     fresh_slots = ("median",)
        ...     def __init__(self, learning_rate=0.001):
        ...         self.learning_rate = learning_rate
        ...     def rule(self, step, epoch, epochs):
        ...         return RMSpropRule(rate_at(self.learning_rate, epoch, epochs))
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> trainer = ts.Trainer(net, optimizer=RMSprop(ts.CosineRate(0.01)), evolution=ts.SET(), batch_size=16)
        >>> X = np.random.default_rng(0).standard_normal((64, 4))
        >>> history = trainer.fit(X, (X[:, 0] > 0).astype(int), epochs=5)
        >>> history["loss"][-1] < history["loss"][0]
        True

        SGD whose momentum rises from epoch to epoch, in kernels:

        >>> from trulysparse.optim import Update, UpdateRule
        >>> class RisingMomentum:
        ...     n_slots = 1
        ...     def rule(self, step, epoch, epochs):
        ...         return UpdateRule(Update.SGD, learning_rate=0.1, momentum=min(0.9, 0.5 + 0.1 * epoch))
        >>> trainer = ts.Trainer(net, optimizer=RisingMomentum(), batch_size=16)
        >>> len(trainer.fit(X, (X[:, 0] > 0).astype(int), epochs=2))
        2
    """

    @property
    def n_slots(self) -> int:
        """Values of state per parameter, 0 to 2."""

    def rule(self, step: int, epoch: float, epochs: int | None) -> Rule:
        """What to do in one step. Asked for at each step.

        Args:
            step: updates since the state was zero, from 0.
            epoch: epochs that are over, a fraction within one.
            epochs: of the call of fit, or None.

        Returns:
            An UpdateRule, which kernels apply to each connection as they compute its gradient, or an ArrayRule. Their
            learning_rate is that of this step.
        """


OptimizerType = TypeVar("OptimizerType", bound=Optimizer)


def check_optimizer(optimizer: object, name: str = "optimizer") -> None:
    """Checks that an object is an optimizer; see Optimizer.

    Args:
        optimizer: any object.
        name: of the argument, for messages.

    Raises:
        InputError: where it is not, with what it lacks.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.optim import check_optimizer
        >>> check_optimizer(ts.Adam())
        >>> check_optimizer(ts.Adam)
        Traceback (most recent call last):
        trulysparse.errors.InputError: optimizer must be an optimizer, not the class Adam: write Adam()
    """
    if isinstance(optimizer, type):
        raise InputError(
            f"{name} must be an optimizer, not the class {optimizer.__name__}: write {optimizer.__name__}()"
        )
    lacks = [
        member
        for member, there in (
            ("n_slots", hasattr(optimizer, "n_slots")),
            ("rule(step, epoch, epochs)", callable(getattr(optimizer, "rule", None))),
        )
        if not there
    ]
    if lacks:
        raise InputError(
            f"{name} must be an optimizer such as SGD() or Adam(), not {checks.plain(optimizer)!r:.80}, which has no "
            f"{' and no '.join(lacks)}"
        )
    n_slots: Any = optimizer.n_slots  # type: ignore[attr-defined]
    checks.integer(f"{name}.n_slots", n_slots, low=0, high=MOST_SLOTS)
    check_state(state_type(optimizer))  # type: ignore[arg-type]
    fresh = getattr(optimizer, "fresh_slots", ())
    if not isinstance(fresh, tuple) or len(fresh) not in (0, n_slots) or not all(each in FRESH for each in fresh):
        raise InputError(
            f"{name}.fresh_slots must name {' or '.join(FRESH)} for each of {n_slots} slots, not {fresh!r}"
        )
    if hasattr(optimizer, "learning_rate"):
        make_schedule(optimizer.learning_rate)


def state_type(optimizer: Optimizer) -> str | None:
    """The type of an optimizer's state, or None for that of the weights."""
    kind: str | None = getattr(optimizer, "state", None)
    return kind


def with_schedule(optimizer: OptimizerType, change: Callable[[LearningRate], LearningRate]) -> OptimizerType:
    """A copy of an optimizer with another learning-rate schedule.

    Args:
        optimizer: one that has an attribute learning_rate.
        change: makes the new schedule of the old one.

    Returns:
        The copy.

    Raises:
        InputError: where the optimizer has no learning_rate that can be set.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.optim.optimizer import with_schedule
        >>> with_schedule(ts.SGD(0.1), lambda rate: ts.ScaledRate(rate, 2.0, warmup=0)).rule(0, 0.0, None).learning_rate
        0.2
    """
    if hasattr(optimizer, "learning_rate"):
        rate = change(make_schedule(optimizer.learning_rate))
        if is_dataclass(optimizer) and any(each.name == "learning_rate" and each.init for each in fields(optimizer)):
            return replace(optimizer, learning_rate=rate)
        changed = copy.copy(optimizer)
        with suppress(AttributeError):
            changed.learning_rate = rate
            return changed
    raise InputError(f"optimizer {type(optimizer).__name__} has no attribute learning_rate that can be set")
