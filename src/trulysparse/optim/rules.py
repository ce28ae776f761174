"""What optimizers share: the kernels' rule, weight decay and the type of the state.

Weight decay acts on connections, not on biases, in one of three modes:
  'l2'         the gradient gets weight_decay * w (torch.optim.SGD and Adam)
  'decoupled'  w loses learning_rate * weight_decay * w per step (Loshchilov and Hutter 2019; torch.optim.AdamW)
  'direct'     w loses weight_decay * w per step, whatever the learning rate: the rule of the authors' code
               (v = momentum * v - learning_rate * g;  w = w + v - weight_decay * w)
"""

from __future__ import annotations

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._kernels import Update

DECAY_MODES = ("l2", "decoupled", "direct")


def make_rule(kind: Update, rate: float, weight_decay: float, mode: str) -> _kernels.UpdateRule:
    """A rule of the kernels with this learning rate and weight decay."""
    rule = _kernels.UpdateRule()
    rule.kind = kind
    rule.learning_rate = rate
    if mode == "l2":
        rule.l2 = weight_decay
    else:
        rule.decay = weight_decay * rate if mode == "decoupled" else weight_decay
    return rule


def check_decay(weight_decay: float, mode: str) -> None:
    """InputError where weight decay is out of range or of an unknown mode."""
    checks.real("weight_decay", weight_decay, low=0, high=1, high_open=True)
    checks.choice("weight_decay_mode", mode, DECAY_MODES)


def check_state(state: str | None) -> None:
    """InputError where the type of the state is unknown."""
    if state is not None:
        checks.choice("state", state, ("float32", "bfloat16"))


def gradient_rule(*, add: bool = False) -> _kernels.UpdateRule:
    """The rule under which kernels give gradients and change no parameter. add: to what the arrays hold."""
    rule = _kernels.UpdateRule()
    rule.kind = Update.GRADIENT
    rule.add = add
    return rule
