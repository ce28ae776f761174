"""Updates of the server's network from gradients, each layer under its lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trulysparse._core.arrays import Floats
from trulysparse._kernels import SharedLock, Update
from trulysparse.optim.layer_rates import LayerOptimizers
from trulysparse.optim.optimizer import with_schedule
from trulysparse.optim.rules import AnyRule, is_fused, rule_of, rules_in
from trulysparse.optim.schedules import scaled
from trulysparse.parallel.config import ParallelConfig, SynchronousConfig
from trulysparse.parallel.gradient import Gradient, Topology, retain
from trulysparse.training.loop import TrainingLoop


@dataclass
class PendingUpdate:
    """The layers that an update has not reached yet: (weights, biases, factor) of each gradient."""

    rule: AnyRule
    parts: dict[int, list[tuple[Floats, Floats, float]]] = field(default_factory=dict)


class LayerUpdater:
    """Applies gradients to the layers of trainer.net.

    n_shards: gradients of one synchronous update, by which the learning rate is scaled. epochs: those of the call of
    fit, for the learning rate's schedule. Attributes: locks, one per layer; learning_rate, that of the last update.
    """

    def __init__(self, trainer: TrainingLoop, config: ParallelConfig, n_shards: int, epochs: int) -> None:
        self.locks = [SharedLock() for _ in trainer.net.layers]
        self.learning_rate = 0.0
        self._trainer = trainer
        self._config = config
        self._epochs = epochs
        self._scaled_optimizer = trainer.optimizer
        if isinstance(config, SynchronousConfig):
            self._scaled_optimizer = with_schedule(
                trainer.optimizer, lambda rate: scaled(rate, n_shards, config.warmup_epochs)
            )
        rates = trainer.layer_rates
        self._by_layer = None if rates is None else LayerOptimizers(self._scaled_optimizer, rates)

    def next_rule(self, epoch: float) -> AnyRule:
        """The rule of the next update; momentum is scaled with the learning rate (Goyal et al. 2017, section 3)."""
        trainer = self._trainer
        step, epochs = trainer.state_updates, self._epochs
        single = self._scaled_optimizer.rule(step, epoch, epochs)
        rule: AnyRule = single
        learning_rate = single.learning_rate
        if self._by_layer is not None:
            rule = self._by_layer.rule(trainer.net.layers, step, epoch, epochs)
        if self._config.momentum_correction and self.learning_rate > 0:
            for each in rules_in(rule):
                if is_fused(each) and each.kind != Update.ADAM:
                    each.momentum *= learning_rate / self.learning_rate
        self.learning_rate = learning_rate
        return rule

    def factors(self, gradients: Sequence[Gradient], n_updates: int) -> list[float]:
        """What each gradient is multiplied by in their update. Each is that of a batch's mean loss, so the gradient of
        the mean over all the batches is their average, weighted by the weights of their samples."""
        total = sum(gradient.total_weight for gradient in gradients)
        factors = [gradient.total_weight / total if total > 0 else 0.0 for gradient in gradients]
        if self._config.staleness_aware:
            factors = [f / max(1, n_updates - g.n_updates) for f, g in zip(factors, gradients, strict=True)]
        return factors

    def apply(
        self,
        gradients: Sequence[Gradient],
        factors: Sequence[float],
        rule: AnyRule,
        histories: Sequence[Sequence[Topology]],
    ) -> tuple[PendingUpdate, int]:
        """Updates all layers that nobody reads at the moment. histories: of each gradient, the topologies from its
        version on. Returns the other layers, for `finish`, and the number of gradient values that were dropped."""
        pending, dropped = PendingUpdate(rule), 0
        for number in reversed(range(len(self._trainer.net.layers))):
            parts = []
            for gradient, factor, history in zip(gradients, factors, histories, strict=True):
                weight, bias, n_dropped = retain(gradient, number, history, 1)
                parts.append((weight, bias, factor))
                dropped += n_dropped
            if self.locks[number].try_acquire():
                self._update(number, parts, rule)
            else:
                pending.parts[number] = parts
        return pending, dropped

    def finish(self, pending: PendingUpdate) -> None:
        """Updates the layers that `apply` left, waiting for those who read them."""
        for number, parts in pending.parts.items():
            self.locks[number].acquire()
            self._update(number, parts, pending.rule)

    def _update(self, number: int, parts: list[tuple[Floats, Floats, float]], rule: AnyRule) -> None:
        """Updates a layer whose lock is held, and releases the lock."""
        try:
            state = self._trainer.optimizer_state[number]
            self._trainer.net.layers[number].update(parts, state, rule_of(rule, number), 1)
        finally:
            self.locks[number].release()
