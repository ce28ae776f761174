"""Adam and AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._kernels import Update
from trulysparse.optim.rules import check_decay, check_state, make_rule
from trulysparse.optim.schedules import LearningRate, make_schedule


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1); with weight_decay_mode='decoupled', AdamW.

    learning_rate: above 0, or a schedule. beta1, beta2: in [0, 1). epsilon: above 0. state: see SGD.
    """

    learning_rate: LearningRate | float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    weight_decay_mode: str = "decoupled"
    state: str | None = None

    def __post_init__(self) -> None:
        check_state(self.state)
        make_schedule(self.learning_rate)
        checks.real("beta1", self.beta1, low=0, high=1, high_open=True)
        checks.real("beta2", self.beta2, low=0, high=1, high_open=True)
        checks.real("epsilon", self.epsilon, low=0, low_open=True)
        check_decay(self.weight_decay, self.weight_decay_mode)

    @property
    def n_slots(self) -> int:
        """State values a parameter."""
        return 2

    def rule(self, step: int, epoch: float, epochs: int | None) -> _kernels.UpdateRule:
        """The kernel's rule for step number `step` (from 0)."""
        rule = make_rule(
            Update.ADAM, make_schedule(self.learning_rate).at(epoch, epochs), self.weight_decay, self.weight_decay_mode
        )
        rule.beta1, rule.beta2, rule.epsilon = self.beta1, self.beta2, self.epsilon
        rule.correction1 = 1 - self.beta1 ** (step + 1)
        rule.correction2 = 1 - self.beta2 ** (step + 1)
        return rule
