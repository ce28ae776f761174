"""Optimizers. State lies on connections and moves with them; the kernels apply the rule in the backward pass.

Weight decay acts on connections, not on biases, in one of three modes:
  'l2'         the gradient gets weight_decay * w (torch.optim.SGD and Adam)
  'decoupled'  w loses learning_rate * weight_decay * w a step (Loshchilov and Hutter 2019; torch.optim.AdamW)
  'direct'     w loses weight_decay * w a step, whatever the learning rate: the rule of the authors' code
               (v = momentum * v - learning_rate * g;  w = w + v - weight_decay * w)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._kernels import Update
from trulysparse.errors import InputError
from trulysparse.optim.schedules import LearningRate, make_schedule

DECAY_MODES = ("l2", "decoupled", "direct")


def _rule(kind: Update, rate: float, weight_decay: float, mode: str) -> _kernels.UpdateRule:
    rule = _kernels.UpdateRule()
    rule.kind = kind
    rule.learning_rate = rate
    if mode == "l2":
        rule.l2 = weight_decay
    else:
        rule.decay = weight_decay * rate if mode == "decoupled" else weight_decay
    return rule


def _check_decay(weight_decay: float, mode: str) -> None:
    checks.real("weight_decay", weight_decay, low=0, high=1, high_open=True)
    checks.choice("weight_decay_mode", mode, DECAY_MODES)


def _check_state(state: str | None) -> None:
    if state is not None:
        checks.choice("state", state, ("float32", "bfloat16"))


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
        _check_state(self.state)
        make_schedule(self.learning_rate)
        checks.real("momentum", self.momentum, low=0, high=1, high_open=True)
        if self.nesterov and self.momentum == 0:
            raise InputError("nesterov=True needs a momentum above 0")
        _check_decay(self.weight_decay, self.weight_decay_mode)

    @property
    def n_slots(self) -> int:
        """State values a parameter."""
        return 1 if self.momentum else 0

    def rule(self, step: int, epoch: float, epochs: int | None) -> _kernels.UpdateRule:
        """The kernel's rule for step number `step` (from 0)."""
        rate = make_schedule(self.learning_rate).at(epoch, epochs)
        rule = _rule(Update.NESTEROV if self.nesterov else Update.SGD, rate, self.weight_decay, self.weight_decay_mode)
        rule.momentum = self.momentum
        return rule


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
        _check_state(self.state)
        make_schedule(self.learning_rate)
        checks.real("beta1", self.beta1, low=0, high=1, high_open=True)
        checks.real("beta2", self.beta2, low=0, high=1, high_open=True)
        checks.real("epsilon", self.epsilon, low=0, low_open=True)
        _check_decay(self.weight_decay, self.weight_decay_mode)

    @property
    def n_slots(self) -> int:
        """State values a parameter."""
        return 2

    def rule(self, step: int, epoch: float, epochs: int | None) -> _kernels.UpdateRule:
        """The kernel's rule for step number `step` (from 0)."""
        rule = _rule(
            Update.ADAM, make_schedule(self.learning_rate).at(epoch, epochs), self.weight_decay, self.weight_decay_mode
        )
        rule.beta1, rule.beta2, rule.epsilon = self.beta1, self.beta2, self.epsilon
        rule.correction1 = 1 - self.beta1 ** (step + 1)
        rule.correction2 = 1 - self.beta2 ** (step + 1)
        return rule


Optimizer: TypeAlias = SGD | Adam
