"""Updates of the server's network from gradients, each layer under its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock, Update, UpdateRule
from trulysparse.optim import NO_STATE, OptimizerState
from trulysparse.optim.layer_rates import LayerOptimizers
from trulysparse.optim.optimizer import with_schedule
from trulysparse.optim.rules import Rule, is_fused, rules_in
from trulysparse.optim.schedules import scaled
from trulysparse.parallel.config import ParallelConfig, SynchronousConfig
from trulysparse.parallel.gradient import Gradient, Topology, retain
from trulysparse.parallel.server.staleness import MeanStaleness, StaleRule, stale_rule
from trulysparse.training.loop import TrainingLoop


@dataclass
class LayerGradient:
    """A gradient along the newest topology of one layer. factor: what it is multiplied by. fetched: the weights and
    biases that it was computed on, 0 where a connection is new; None: not kept."""

    weight: Floats
    bias: Floats
    factor: float
    fetched: tuple[Floats, Floats] | None = None


@dataclass
class PendingUpdate:
    """The layers that an update has not reached yet, with their gradients. rules: one for all layers, or one each."""

    rules: Sequence[StaleRule]
    parts: dict[int, list[LayerGradient]] = field(default_factory=dict)


class LayerUpdater:
    """Applies gradients to the layers of trainer.net.

    n_shards: gradients of one synchronous update, by which the learning rate is scaled. epochs: those of the call of
    fit, for the learning rate's schedule. steps: updates per epoch. Attributes: locks, one per layer; learning_rate,
    what the optimizer asked for at the last update; staleness, the mean of the last gradients'.
    """

    def __init__(self, trainer: TrainingLoop, config: ParallelConfig, n_shards: int, epochs: int, steps: int) -> None:
        self.locks = [SharedLock() for _ in trainer.net.layers]
        self.learning_rate = 0.0
        self.staleness = MeanStaleness(0.0 if config.synchronous else config.workers - 1.0)
        self._velocity_rate = 0.0
        self._trainer = trainer
        self._config = config
        self._epochs = epochs
        self._steps = steps
        self._scaled_optimizer = trainer.optimizer
        if isinstance(config, SynchronousConfig):
            self._scaled_optimizer = with_schedule(
                trainer.optimizer, lambda rate: scaled(rate, n_shards, config.warmup_epochs)
            )
        rates = trainer.layer_rates
        self._by_layer = None if rates is None else LayerOptimizers(self._scaled_optimizer, rates)

    def state(self) -> dict[str, float]:
        """What is needed, beside the trainer's state, to continue from here."""
        return {
            "learning_rate": self.learning_rate,
            "velocity_rate": self._velocity_rate,
            "mean_staleness": self.staleness.value,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continues from a state."""
        self.learning_rate = state["learning_rate"]
        self._velocity_rate = state.get("velocity_rate", self.learning_rate)
        self.staleness.value = state.get("mean_staleness", self.staleness.value)

    def next_rules(self, epoch: float) -> list[StaleRule]:
        """The rule of the next update, or one for each layer; momentum is scaled with the learning rate (Goyal et al.
        2017, section 3)."""
        trainer, step = self._trainer, self._trainer.state_updates
        single = self._scaled_optimizer.rule(step, epoch, self._epochs)
        self.learning_rate = single.learning_rate
        rules: Sequence[Rule] = (single,)
        if self._by_layer is not None:
            rules = rules_in(self._by_layer.rule(trainer.net.layers, step, epoch, self._epochs))
        changed = [self._changed(rule, step) for rule in rules]
        # The velocity's own rate, of which those of layers are fixed multiples.
        rate = changed[0].rule.learning_rate / (rules[0].learning_rate or 1.0) * single.learning_rate
        if self._config.momentum_correction and self._velocity_rate > 0:
            for each in changed:
                if is_fused(each.rule) and each.rule.kind != Update.ADAM:
                    each.rule.momentum *= rate / self._velocity_rate
        self._velocity_rate = rate
        return changed

    def _changed(self, rule: Rule, step: int) -> StaleRule:
        """An optimizer's rule in the warm-up, and for gradients that are stale."""
        config = self._config
        if is_fused(rule) and (warmup := config.warmup(self._epochs)):
            done = self._trainer.step_count / self._steps / warmup
            rule.learning_rate *= min(1.0, (1 + (config.workers - 1) * done) / config.workers)
        if config.staleness_rule == "momentum":
            return stale_rule(rule, self.staleness.value, step)
        return StaleRule(rule)

    def factors(self, gradients: Sequence[Gradient], n_updates: int) -> list[float]:
        """What each gradient is multiplied by in their update. Each is that of a batch's mean loss, so the gradient of
        the mean over all the batches is their average, weighted by the weights of their samples."""
        total = sum(gradient.total_weight for gradient in gradients)
        factors = [gradient.total_weight / total if total > 0 else 0.0 for gradient in gradients]
        if self._config.staleness_rule == "divide":
            factors = [f / max(1, n_updates - g.n_updates) for f, g in zip(factors, gradients, strict=True)]
        return factors

    def apply(
        self,
        gradients: Sequence[Gradient],
        factors: Sequence[float],
        rules: Sequence[StaleRule],
        histories: Sequence[Sequence[Topology]],
        fetched: Gradient | None = None,
    ) -> tuple[PendingUpdate, int]:
        """Updates all layers that nobody reads at the moment. histories: of each gradient, the topologies from its
        version on. fetched: the parameters that a lone gradient was computed on, in the place of gradients. Returns the
        other layers, for `finish`, and the number of gradient values that were dropped."""
        pending, dropped = PendingUpdate(rules), 0
        for number in reversed(range(len(self._trainer.net.layers))):
            parts = []
            for gradient, factor, history in zip(gradients, factors, histories, strict=True):
                weight, bias, n_dropped = retain(gradient, number, history, 1)
                then = None if fetched is None else retain(fetched, number, history, 1)[:2]
                parts.append(LayerGradient(weight, bias, factor, then))
                dropped += n_dropped
            if self.locks[number].try_acquire():
                self._update(number, parts, rules)
            else:
                pending.parts[number] = parts
        return pending, dropped

    def finish(self, pending: PendingUpdate) -> None:
        """Updates the layers that `apply` left, waiting for those who read them."""
        for number, parts in pending.parts.items():
            self.locks[number].acquire()
            self._update(number, parts, pending.rules)

    def _update(self, number: int, parts: list[LayerGradient], rules: Sequence[StaleRule]) -> None:
        """Updates a layer whose lock is held, and releases the lock."""
        try:
            layer, state = self._trainer.net.layers[number], self._trainer.optimizer_state[number]
            rule = rules[number if len(rules) > 1 else 0]
            gradients = []
            for part in parts:
                weight, bias = part.weight, part.bias
                if part.fetched is not None:
                    weight = compensated(weight, layer.values, part.fetched[0], self._config.delay_compensation)
                    bias = compensated(bias, layer.bias, part.fetched[1], self._config.delay_compensation)
                if rule.bias_factor != 1:
                    bias = bias * bias.dtype.type(rule.bias_factor)
                gradients.append((weight, bias, part.factor))
            layer.update(gradients, state, rule.rule, 1)
            if rule.direct is not None:
                layer.update(gradients, _state_for(rule.direct, state), rule.direct, 1)
        finally:
            self.locks[number].release()


def compensated(gradient: Floats, now: Floats, then: Floats, strength: float) -> Floats:
    """g + strength * g * g * (now - then): what the gradient would be at `now`, as far as the squares of its values
    stand for the diagonal of the Hessian. Source: Zheng et al., "Asynchronous stochastic gradient descent with delay
    compensation" (2017), eq. 10."""
    if not gradient.size:
        return gradient
    return gradient + gradient.dtype.type(strength) * gradient * gradient * (now - then)


def _state_for(direct: UpdateRule, state: OptimizerState) -> OptimizerState:
    """What the direct part of a step reads: nothing, or Adam's v with room for g in the place of m."""
    if direct.kind != Update.ADAM:
        return NO_STATE
    return OptimizerState(
        [np.zeros_like(state.weight[0]), state.weight[1]], [np.zeros_like(state.bias[0]), state.bias[1]]
    )
