"""What stale gradients call for: how late they are, and a step that stays stable nevertheless.

The gradient of a model that is s updates old acts on the sharp directions of the loss as momentum does (Mitliagkas et
al. 2016): N workers add a momentum of 1 - 1 / N, since s is N - 1 on average. docs/parallel.md has the equations, and
what each part of the remedy is worth."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse._kernels import Update, UpdateRule
from trulysparse.optim.rules import Rule, is_fused

HORIZON = 100
"""Gradients over which the mean staleness is taken."""

LENGTHENING = 1 / 3
"""By how much each update of staleness lengthens the momentum's memory, as a share of what was asked for."""

FULL_RATE = 8.0
"""Staleness up to which the learning rate stays; beyond it, rate times (staleness + 1) does."""


class MeanStaleness:
    """The mean staleness of the last gradients, in updates.

    Args:
        value: before there are any.

    Attributes:
        value: the mean, in which each gradient has the weight 1 / HORIZON of what those after it leave.

    Example:
        >>> from trulysparse.parallel.server.staleness import MeanStaleness
        >>> staleness = MeanStaleness(1.0)
        >>> for _ in range(1000):
        ...     staleness.add(3)
        >>> round(staleness.value, 3)
        3.0
    """

    def __init__(self, value: float) -> None:
        self.value = value

    def add(self, updates: int) -> None:
        """Takes in the staleness of one gradient."""
        self.value += (updates - self.value) / HORIZON


@dataclass(frozen=True)
class StaleRule:
    """The rule of one update by stale gradients.

    Attributes:
        rule: of the part that goes through the velocity, or of all where `direct` is None.
        direct: of the part that goes to the parameters at once; it leaves the optimizer's state as it is.
        bias_factor: by which the gradients of biases are multiplied.
    """

    rule: Rule
    direct: UpdateRule | None = None
    bias_factor: float = 1.0


def shares(momentum: float, staleness: float) -> tuple[float, float]:
    """The momentum for gradients of a mean staleness, and the share of each gradient that goes through the velocity.

    With the share momentum^s in

        v = momentum * v - share * rate * g,   w = w + v - (1 - share) * rate / (1 - momentum) * g

    w is where the parameters would be s updates later if nothing but their velocity moved them: the model that is given
    out is, as far as can be known, the one that its gradient will meet. s = 0 is momentum as it is known, s = 1 is
    Nesterov's, and without end it is no momentum and the rate divided by 1 - momentum.

    Args:
        momentum: that was asked for, in (0, 1).
        staleness: in updates, at least 0.

    Returns:
        (momentum, share). The memory 1 / (1 - momentum) grows by a third per update of staleness.

    Source:
        Kosson et al., "Pipelined backpropagation at scale" (2021), section 3.3; Hakimi et al., "Taming momentum in a
        distributed asynchronous environment" (2019); the form of the step is that of Ma and Yarats, "Quasi-hyperbolic
        momentum and Adam for deep learning" (2019), eq. 3 and 4.

    Example:
        >>> from trulysparse.parallel.server.staleness import shares
        >>> [tuple(round(value, 3) for value in shares(0.9, s)) for s in (0, 1, 3)]
        [(0.9, 1.0), (0.925, 0.925), (0.95, 0.857)]
    """
    momentum = 1 - (1 - momentum) / (1 + LENGTHENING * staleness)
    return momentum, momentum**staleness


def stale_rule(rule: Rule, staleness: float, step: int) -> StaleRule:
    """The rule for gradients of a mean staleness.

    Args:
        rule: of the optimizer; one in arrays, or without momentum, stays as it is.
        staleness: in updates, at least 0.
        step: updates of the optimizer's state before this one, for Adam's bias correction.

    Returns:
        The rule. In the end each gradient moves the parameters as far as it would by `rule`, rate / (1 - momentum), and
        less far where the staleness is above FULL_RATE. SGD divides the rate of biases by staleness + 1: they are by
        far the sharpest direction of the loss.
    """
    if not is_fused(rule) or staleness == 0:
        return StaleRule(rule)
    rate = rule.learning_rate * min(1.0, (FULL_RATE + 1) / (staleness + 1))
    if rule.kind == Update.ADAM:
        return _stale_adam(rule, rate, staleness, step)
    factor = 1 / (1 + staleness)
    if rule.momentum == 0:
        alone = UpdateRule(Update.SGD, learning_rate=rate, l2=rule.l2, decay=rule.decay)
        return StaleRule(alone, bias_factor=factor)
    ahead = staleness + (rule.kind == Update.NESTEROV)  # which looks one update ahead itself
    momentum, share = shares(rule.momentum, ahead)
    distance = rate / (1 - rule.momentum)
    through = UpdateRule(
        Update.SGD,
        learning_rate=share * distance * (1 - momentum),
        momentum=momentum,
        l2=rule.l2,
        decay=rule.decay,
    )
    direct = UpdateRule(Update.SGD, learning_rate=(1 - share) * distance, l2=rule.l2)
    return StaleRule(through, direct, factor)


def _stale_adam(rule: UpdateRule, rate: float, staleness: float, step: int) -> StaleRule:
    """Adam's m and g, each by its share, divided by the same root of v."""
    beta1, share = shares(rule.beta1, staleness) if rule.beta1 else (0.0, 1.0)

    def of(rate: float, beta1: float, beta2: float, correction1: float, decay: float) -> UpdateRule:
        return UpdateRule(
            Update.ADAM,
            learning_rate=rate,
            l2=rule.l2,
            decay=decay,
            beta1=beta1,
            beta2=beta2,
            epsilon=rule.epsilon,
            correction1=correction1,
            correction2=rule.correction2,
        )

    through = of(share * rate, beta1, rule.beta2, 1 - beta1 ** (step + 1), rule.decay)
    return StaleRule(through, None if share == 1 else of((1 - share) * rate, 0.0, 1.0, 1.0, 0.0))
