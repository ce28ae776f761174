"""One update of a network: both passes of a batch, the optimizer's rule, and the state that goes with the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import InputError
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.losses import AnyLoss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import Sink
from trulysparse.nn.tile_pass import CheckedLayers
from trulysparse.optim import LayerOptimizers, LayerRates, Optimizer, OptimizerState, check_optimizer
from trulysparse.optim.layer_rates import make_layer_rates
from trulysparse.optim.rules import AnyRule
from trulysparse.optim.state import fresh_slots
from trulysparse.training.batch import Batch
from trulysparse.training.layer_watch import LayerWatch, check_optimizer_state
from trulysparse.training.passes import BatchPasses, require_finite


class TrainingStep:
    """Updates a network, batch by batch: what a training loop of one's own needs and no more.

    Args:
        net: the network to train.
        optimizer: SGD, Adam or one of your own; see optim.Optimizer.
        loss: a loss, its name, or None for the one of the network's output activation.
        optimizer_state: of each layer, to go on with; None: zero.
        layer_rates: by what the learning rates of layers differ; see Trainer.
        seed: of dropout, augmentation and stochastic rounding, at least 0.
        **settings: micro_batch_size, recompute, dropout, input_noise and threads among them; see BatchPasses, whose
            noise_seed is `seed` where it is not given.

    Attributes:
        passes: the BatchPasses of the network.
        count: updates so far.
        state_updates: updates since the optimizer's state was zero.
        state_given: whether the state came from outside.
        on_change: called without arguments when layers were changed without their optimizer state, or None.

    Raises:
        InputError: where a setting is out of range, or optimizer_state belongs to another network or optimizer.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.training.passes import checked_batch
        >>> from trulysparse.training.step import TrainingStep
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> step = TrainingStep(net, ts.SGD(0.1))
        >>> X = np.random.default_rng(0).standard_normal((16, 4))
        >>> batch = checked_batch(net, step.passes.loss, X, (X[:, 0] > 0).astype(int))
        >>> losses = [step.update(batch) for _ in range(20)]
        >>> losses[-1] < losses[0], step.count
        (True, 20)
    """

    def __init__(
        self,
        net: SparseMLP,
        optimizer: Optimizer,
        loss: AnyLoss | str | None = None,
        *,
        optimizer_state: Sequence[OptimizerState] | None = None,
        layer_rates: LayerRates | str | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        self._noise_by_seed = "noise_seed" not in settings
        self.passes = BatchPasses(net, loss, **settings)
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.layer_rates = layer_rates
        self.seed = seed
        self.count = 0
        self._state_start = 0
        self.state_given = optimizer_state is not None
        self.on_change: Callable[[], None] | None = None
        self._watch = LayerWatch()
        self._ready = CheckedLayers()  # what the last update was ready for
        self._ready_for: Optimizer | None = None
        self._optimizer_state: list[OptimizerState] = []
        if optimizer_state is None:
            self.reset_state()
        else:
            self.set_optimizer_state(optimizer_state)

    @property
    def net(self) -> SparseMLP:
        """The network."""
        return self.passes.net

    @property
    def seed(self) -> int:
        """Of dropout, augmentation, corruption and stochastic rounding."""
        return self._seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self._seed = checks.integer("seed", seed, low=0)
        if self._noise_by_seed:
            self.passes.noise_seed = self._seed

    @property
    def layer_rates(self) -> LayerRates | None:
        """By what the learning rates of layers differ; None: they do not."""
        return self._layer_rates

    @layer_rates.setter
    def layer_rates(self, layer_rates: LayerRates | str | None) -> None:
        made = make_layer_rates(layer_rates)
        self._by_layer = None if made is None else (self.optimizer, LayerOptimizers(self.optimizer, made))
        self._layer_rates = made

    def _rule(self, epoch: float, epochs: int | None) -> AnyRule:
        """The optimizer's rule of the next update."""
        step = self.count - self._state_start
        if self._layer_rates is None or self._by_layer is None:
            return self.optimizer.rule(step, epoch, epochs)
        if self._by_layer[0] is not self.optimizer:
            self._by_layer = self.optimizer, LayerOptimizers(self.optimizer, self._layer_rates)
        return self._by_layer[1].rule(self.net.layers, step, epoch, epochs)

    @property
    def optimizer_state(self) -> list[OptimizerState]:
        """Optimizer state of each layer. Of layers that were changed without it (replaced, pruned) it is zero."""
        self.refresh()
        return self._optimizer_state

    @property
    def state_updates(self) -> int:
        """Updates since the optimizer's state was zero: what Adam's bias correction counts. It grows with `count`."""
        return self.count - self._state_start

    @state_updates.setter
    def state_updates(self, number: int) -> None:
        self._state_start = self.count - number

    def refresh(self) -> None:
        """Brings state and memory in line with layers that others have changed. Calls `on_change` where the state
        does not belong to them any more."""
        net, watch = self.net, self._watch
        net.check_layers()
        if watch.unchanged(net, self.optimizer):
            return
        check_optimizer(self.optimizer)
        stale = set(watch.stale(net, self._optimizer_state, self.optimizer))
        self._optimizer_state = [
            layer.new_state(self.optimizer) if number in stale else self._optimizer_state[number]
            for number, layer in enumerate(net.layers)
        ]
        if len(stale) == len(net.layers):
            self.state_updates = 0
        if stale or self.passes.sizes != net.layer_sizes:
            self.passes.resize()
            if self.on_change is not None:
                self.on_change()
        self.remember_layers()

    def require_writable(self) -> None:
        """InputError where weights or biases cannot be changed, as those of a memory map that is only read."""
        for number, layer in enumerate(self.net.layers):
            if not (layer.values.flags.writeable and layer.bias.flags.writeable):
                raise InputError(f"layers[{number}] has weights or biases that are read-only; train net.copy()")

    def remember_layers(self) -> None:
        """Takes the layers as they are now as those that the state belongs to."""
        for state in self._optimizer_state:
            state.fresh = fresh_slots(self.optimizer)
        self._watch.remember(self.net, self._optimizer_state, self.optimizer)

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero; Adam's bias correction begins anew with it."""
        self.passes.resize()
        self.state_updates = 0
        self._optimizer_state = [layer.new_state(self.optimizer) for layer in self.net.layers]
        self.remember_layers()

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with optimizer state from elsewhere, for the network's layers as they are now. `state_updates` stays:
        set it where that state has seen another number of updates.

        Args:
            optimizer_state: of each layer.

        Raises:
            InputError: where it does not have the layers' sizes or the optimizer's form.
        """
        check_optimizer_state(self.net, optimizer_state, self.optimizer)
        self.passes.resize()
        self._optimizer_state = list(optimizer_state)
        self.remember_layers()

    def update(self, batch: Batch, epoch: float = 0.0, epochs: int | None = None) -> float:
        """One update.

        Args:
            batch: the samples; see FitData.batch and checked_batch.
            epoch: epochs that are over, for the learning rate's schedule; a fraction within an epoch.
            epochs: how many there will be; None: not known.

        Returns:
            The mean loss of the samples before the update.

        Raises:
            DivergenceError: where the loss is not finite; nothing is updated then.
        """
        passes, net = self.passes, self.passes.net
        if self.optimizer is not self._ready_for or not self._ready.are(net):
            self.refresh()
            self._ready, self._ready_for = net.checked, self.optimizer
        self.require_writable()
        rule = self._rule(epoch, epochs)
        value = passes.update(
            batch,
            self._optimizer_state,
            rule,
            dropout_key=self._dropout_key(),
            rounding_key=stream_key(self.seed, "step", self.count) if passes.tiled else None,
            step=self.count,
        )
        self.count += 1
        return value

    def backward_to(self, sink: Sink, batch: Batch) -> float:
        """Both passes of a batch as in an update, in one tile, with each layer's gradient handed to `sink`.

        Returns:
            The loss.

        Raises:
            DivergenceError: where the loss is not finite.
        """
        tile, value = self.passes.forward(batch, self._dropout_key())
        require_finite(value, self.count)
        self.passes.backward(tile, sink)
        return value

    def gradients(self, batch: Batch) -> tuple[float, Sequence[ParameterGradient]]:
        """The loss of a batch and its gradient, layer by layer; parameters stay as they are. Without dropout
        and corruption."""
        self.refresh()
        return self.passes.gradients(batch, dropout=False)

    def _dropout_key(self) -> int:
        return stream_key(self.seed, "dropout", self.count) if self.passes.is_random else 0
