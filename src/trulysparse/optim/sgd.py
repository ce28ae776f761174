"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._kernels import Update
from trulysparse.errors import InputError
from trulysparse.optim.rules import check_decay, check_state, make_rule
from trulysparse.optim.schedules import LearningRate, make_schedule


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum: v = momentum * v - rate * g, w = w + v; with `nesterov`,
    w = w + momentum * v - rate * g.

    learning_rate: above 0, or a schedule. momentum: in [0, 1). weight_decay: in [0, 1), see the module. state: type of
    the momentum, 'float32' or, in networks with storage='compact', 'bfloat16' with stochastic rounding; None: the
    network's."""

    learning_rate: LearningRate | float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    weight_decay_mode: str = "l2"
    state: str | None = None

    def __post_init__(self) -> None:
        check_state(self.state)
        make_schedule(self.learning_rate)
        checks.real("momentum", self.momentum, low=0, high=1, high_open=True)
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov=True needs a momentum above 0")
        check_decay(self.weight_decay, self.weight_decay_mode)

    @property
    def n_slots(self) -> int:
        """State values a parameter."""
        return 1 if self.momentum else 0

    def rule(self, step: int, epoch: float, epochs: int | None) -> _kernels.UpdateRule:
        """The kernel's rule for step number `step` (from 0)."""
        rate = make_schedule(self.learning_rate).at(epoch, epochs)
        rule = make_rule(
            Update.NESTEROV if self.nesterov else Update.SGD, rate, self.weight_decay, self.weight_decay_mode
        )
        rule.momentum = self.momentum
        return rule
