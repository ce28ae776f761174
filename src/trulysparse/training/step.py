"""One update of a network: forward pass, loss, backward pass with update, a batch at a time or in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import DivergenceError
from trulysparse.nn import losses
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.losses import Loss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import Gradients, ParameterGradient, Sink, Update
from trulysparse.optim import Optimizer, OptimizerState
from trulysparse.training.fit_data import Batch
from trulysparse.training.layer_watch import LayerWatch, check_optimizer_state


class BatchPasses:
    """Passes of batches through `net`, with memory for the activations of one. Several may share a network's arrays,
    each in a thread of its own.

    micro_batch_size: samples that are taken at a time where gradients are added up; None: all. recompute: keep each
    recompute-th layer's activations from the forward pass, and compute those between again on the way back. dropout:
    share of hidden activations dropped.
    """

    def __init__(
        self,
        net: SparseMLP,
        loss: Loss | str | None = None,
        *,
        micro_batch_size: int | None = None,
        recompute: int = 1,
        dropout: float = 0.0,
        threads: int | None = None,
    ) -> None:
        self.net = net
        self.loss = losses.make_loss(loss, net.output)
        self.micro_batch_size = micro_batch_size
        self.recompute = checks.integer("recompute", recompute, low=1)
        self.dropout = checks.real("dropout", dropout, low=0, high=1, high_open=True)
        self.threads = net.threads if threads is None else checks.thread_count(threads)
        self._keys: Sequence[int] = ()
        self.resize()

    def resize(self) -> None:
        """Makes memory anew for a network whose layers have another number of neurons."""
        net = self.net
        self.sizes = net.layer_sizes
        self._work = net.workspace(every=self.recompute)

    def in_parts(self, batch: Batch) -> bool:
        """Whether a batch is taken in parts."""
        return self.micro_batch_size is not None and len(batch.rows) > self.micro_batch_size

    def forward(
        self,
        batch: Batch,
        key: int = 0,
        *,
        dropout: bool = True,
        loaded: Callable[[], None] | None = None,
        total: float | None = None,
    ) -> tuple[list[Activations], float]:
        """Forward pass and mean loss; the last signal then holds the gradient at the output. key: of dropout. loaded:
        called when the batch is there. total: the weight of all samples of the batch that this is a part of; loss and
        gradient are then this part's share."""
        net, rows, weight = self.net, batch.rows, batch.weight
        signals = self._work.signals(len(rows), 1.0 - self.dropout if dropout else 1.0)
        batch.reader.load(rows, signals[0].values, net.scaling, self.threads)
        if loaded is not None:
            loaded()
        self._keys = [(key + number) & (2**64 - 1) for number in range(len(net.layers))]
        net.forward(signals, self._keys, self.threads)
        z = signals[-1].values
        share = np.zeros(z.shape[1], net.dtype)
        if total is None:
            total = batch.total_weight
        if weight is None:
            share[: len(rows)] = 1.0 / total
        elif total > 0:
            share[: len(rows)] = weight / total
        return signals, self.loss.gradient(z, batch.targets, share, self.threads)

    def backward(self, signals: list[Activations], sink: Sink) -> None:
        """Backward pass after `forward`; uses the signals up."""
        net, dy = self.net, signals[-1].values
        net.backward(signals, dy, sink, threads=self.threads, keys=self._keys, every=self.recompute)

    def gradients(
        self,
        batch: Batch,
        key: int = 0,
        *,
        into: Sequence[ParameterGradient] | None = None,
        dropout: bool = True,
        loaded: Callable[[], None] | None = None,
        step: int | None = None,
    ) -> tuple[float, Sequence[ParameterGradient]]:
        """The loss of a batch and its gradient, added up over parts where it is taken in parts, in `into` or arrays of
        its own. step: number of the update in a training, whose loss must be finite (else DivergenceError). The others:
        see `forward`."""
        n, total, value = len(batch.rows), batch.total_weight, 0.0
        size = self.micro_batch_size or n
        for part, start in enumerate(range(0, n, size)):
            signals, share = self.forward(
                batch.part(start, start + size),
                stream_key(key, "part", part) if part and key else key,
                dropout=dropout,
                loaded=None if part else loaded,
                total=total,
            )
            if step is not None:
                require_finite(share, step)
            value += share
            sink = Gradients(len(self.net.layers), into, add=part > 0)
            self.backward(signals, sink)
            into = sink.arrays
        assert into is not None
        return value, into


class TrainingStep:
    """Updates a network, batch by batch.

    optimizer: its rule and how much state it needs. optimizer_state: state to go on with, or None: zero. seed: of dropout and
    rounding. The others: see BatchPasses. Attributes: count, updates so far.
    """

    def __init__(
        self,
        net: SparseMLP,
        optimizer: Optimizer,
        loss: Loss | str | None = None,
        *,
        optimizer_state: Sequence[OptimizerState] | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        self.passes = BatchPasses(net, loss, **settings)
        self.optimizer = optimizer
        self.seed = checks.integer("seed", seed, low=0)
        self.count = 0
        self.state_given = optimizer_state is not None
        self.on_change: Callable[[], None] | None = None
        self._watch = LayerWatch()
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
    def optimizer_state(self) -> list[OptimizerState]:
        """Optimizer state of each layer. Of layers that were changed without it (replaced, pruned) it is zero."""
        self.notice()
        return self._optimizer_state

    def notice(self) -> None:
        """Brings state and memory in line with layers that others have changed; `on_change` is called where it does not
        belong to them any more."""
        net, watch = self.net, self._watch
        if watch.unchanged(net, self.optimizer):
            return
        net.check_layers()
        stale = set(watch.stale(net, self._optimizer_state, self.optimizer))
        self._optimizer_state = [
            layer.new_state(self.optimizer) if number in stale else self._optimizer_state[number]
            for number, layer in enumerate(net.layers)
        ]
        if stale or self.passes.sizes != net.layer_sizes:
            self.passes.resize()
            if self.on_change is not None:
                self.on_change()
        self.note()

    def note(self) -> None:
        """Takes the layers, and the state that has been brought along with them, as they are now."""
        self._watch.note(self.net, self._optimizer_state, self.optimizer)

    def reset_state(self) -> None:
        """Sets the optimizer's state to zero."""
        self.passes.resize()
        self._optimizer_state = [layer.new_state(self.optimizer) for layer in self.net.layers]
        self.note()

    def set_optimizer_state(self, optimizer_state: Sequence[OptimizerState]) -> None:
        """Goes on with optimizer state from elsewhere, for the network's layers as they are now."""
        check_optimizer_state(self.net, optimizer_state, self.optimizer)
        self.passes.resize()
        self._optimizer_state = list(optimizer_state)
        self.note()

    def update(self, batch: Batch, epoch: float = 0.0, epochs: int | None = None) -> float:
        """One update; returns the mean loss before it. epoch: epochs that are over, of `epochs`, for the learning
        rate's schedule."""
        self.notice()
        rule = self.optimizer.rule(self.count, epoch, epochs)
        passes = self.passes
        in_parts = passes.in_parts(batch)
        rounded = in_parts or self.net.storage_config.tiled
        sink = Update(self._optimizer_state, rule, stream_key(self.seed, "step", self.count) if rounded else None)
        if in_parts:
            value, found = passes.gradients(batch, self._dropout_key(), step=self.count)
            sink.apply(self.net.layers, found, passes.threads)
        else:
            value = self.backward_to(sink, batch)
        self.count += 1
        return value

    def backward_to(self, sink: Sink, batch: Batch) -> float:
        """Both passes of a batch as in an update, with gradients going elsewhere; returns the loss, or DivergenceError
        where it is not finite."""
        signals, value = self.passes.forward(batch, self._dropout_key())
        require_finite(value, self.count)
        self.passes.backward(signals, sink)
        return value

    def gradients(self, batch: Batch) -> tuple[float, Sequence[ParameterGradient]]:
        """The loss of a batch and its gradient, layer by layer; parameters stay as they are. Without dropout."""
        self.notice()
        return self.passes.gradients(batch, dropout=False)

    def _dropout_key(self) -> int:
        return stream_key(self.seed, "dropout", self.count) if self.passes.dropout else 0


def require_finite(loss: float, step: int) -> None:
    """DivergenceError where the loss is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} at step {step}: training has diverged; lower the learning rate or scale the features"
        )
