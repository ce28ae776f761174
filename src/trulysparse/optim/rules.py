"""What optimizers share: the rule of one step, fused or in arrays, weight decay and the type of the state.

Weight decay acts on connections, not on biases, in one of three modes:
  'l2'         the gradient gets weight_decay * w (torch.optim.SGD and Adam)
  'decoupled'  w loses learning_rate * weight_decay * w per step (Loshchilov and Hutter 2019; torch.optim.AdamW)
  'direct'     w loses weight_decay * w per step, whatever the learning rate: the rule of the authors' code
               (v = momentum * v - learning_rate * g;  w = w + v - weight_decay * w)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._kernels import Update, UpdateRule
from trulysparse.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

DECAY_MODES = ("l2", "decoupled", "direct")


class ArrayRule(Protocol):
    """The rule of one step, in NumPy arrays: what an optimizer's `rule` may return in the place of an UpdateRule.

    Gradients are then put into arrays along the connections before the update, where kernels would update connection
    by connection on the spot: it takes more time, and memory for the gradients. Optimizer has an example.
    """

    @property
    def learning_rate(self) -> float:
        """Of this step; what histories record."""

    def update(self, values: Floats, gradient: Floats, slots: Sequence[Floats], is_bias: bool) -> None:
        """Updates all connections of a layer, or all its biases, in place.

        Args:
            values: weights along the connections, or biases; float32 or float64.
            gradient: of the loss, as many; may be overwritten.
            slots: optimizer state, n_slots arrays of as many; changed in place too.
            is_bias: whether these are biases, which have no weight decay.
        """


Rule: TypeAlias = UpdateRule | ArrayRule
"""What an optimizer does in one step."""


@dataclass(frozen=True)
class LayerRules:
    """The rules of one step of layers that differ in them; see LayerOptimizers.

    Args:
        rules: of each layer, first to last.
    """

    rules: tuple[Rule, ...]


AnyRule: TypeAlias = Rule | LayerRules
"""One rule for all layers, or one for each."""


def rule_of(rule: AnyRule, number: int) -> Rule:
    """That of layer `number`, from 0."""
    return rule.rules[number] if type(rule) is LayerRules else rule  # type: ignore[return-value]


def rules_in(rule: AnyRule) -> tuple[Rule, ...]:
    """The one, or those of all layers."""
    return rule.rules if isinstance(rule, LayerRules) else (rule,)


def all_fused(rule: AnyRule) -> bool:
    """Whether `is_fused` holds for the rule of each layer."""
    return all(map(is_fused, rules_in(rule)))


def set_add(rule: AnyRule, add: bool) -> None:
    """Says of all fused rules whether they add to gradients that are there."""
    for each in rules_in(rule):
        if isinstance(each, UpdateRule):
            each.add = add


def is_fused(rule: Rule) -> TypeIs[UpdateRule]:
    """Whether kernels apply a rule as they compute gradients; else it is applied to arrays of gradients.

    Args:
        rule: what an optimizer's `rule` returned.

    Returns:
        True for an UpdateRule, False for an ArrayRule.

    Raises:
        InputError: where it is neither.
    """
    if isinstance(rule, UpdateRule):
        if not rule.updates:
            raise InputError(f"an optimizer's rule must be one that updates parameters, not one of kind {rule.kind}")
        return True
    if isinstance(rule, type) or not (callable(getattr(rule, "update", None)) and hasattr(rule, "learning_rate")):
        raise InputError(
            "an optimizer's rule must return an UpdateRule, or an object with learning_rate and "
            f"update(values, gradient, slots, is_bias), not {rule!r:.80}"
        )
    return False


def sum_of(gradients: Sequence[tuple[Floats, float]]) -> Floats:
    """The sum of gradients, each times its factor, in the memory of the first where that may be written to."""
    total, factor = gradients[0]
    if not total.flags.writeable:
        total = total.copy()
    if factor != 1:
        np.multiply(total, total.dtype.type(factor), out=total)
    for gradient, share in gradients[1:]:
        total += gradient if share == 1 else gradient * total.dtype.type(share)
    return total


def decay_terms(weight_decay: float, mode: str, rate: float) -> tuple[float, float]:
    """Weight decay as l2 and decay of an UpdateRule."""
    if mode == "l2":
        return weight_decay, 0.0
    return 0.0, weight_decay * rate if mode == "decoupled" else weight_decay


def check_decay(weight_decay: float, mode: str) -> None:
    """InputError where weight decay is out of range or of an unknown mode."""
    checks.real("weight_decay", weight_decay, low=0, high=1, high_open=True)
    checks.choice("weight_decay_mode", mode, DECAY_MODES)


def check_state(state: str | None) -> None:
    """InputError where the type of the state is unknown."""
    if state is not None:
        checks.choice("state", state, ("float32", "bfloat16"))


def gradient_rule(*, add: bool = False) -> UpdateRule:
    """The rule under which kernels give gradients and change no parameter. add: to what the arrays hold."""
    rule = UpdateRule(Update.GRADIENT)
    rule.add = add
    return rule
