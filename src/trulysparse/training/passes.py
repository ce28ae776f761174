"""Forward and backward passes of batches, whole or in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.errors import DivergenceError
from trulysparse.nn import losses
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.losses import AnyLoss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.sinks import Gradients, ParameterGradient, Sink
from trulysparse.training.fit_data import Batch


class BatchPasses:
    """Passes of batches through `net`, with memory for the activations of one. Several may share a network's arrays,
    each in a thread of its own.

    Args:
        net: the network.
        loss: a loss, its name, or None for the one of the network's output activation.
        micro_batch_size: samples taken at a time where gradients are added up; None: all.
        recompute: keep the activations of each recompute-th layer only, and compute those between again in the
            backward pass.
        dropout: share of hidden activations dropped, in [0, 1).
        threads: None for the network's.
    """

    def __init__(
        self,
        net: SparseMLP,
        loss: AnyLoss | str | None = None,
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
        """Allocates memory anew, for a network whose layers have another number of neurons."""
        net = self.net
        self.sizes = net.layer_sizes
        self._work = net.workspace(every=self.recompute)

    def in_parts(self, batch: Batch) -> bool:
        """Whether a batch has more than micro_batch_size samples."""
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
        """Forward pass and mean loss; the last activations then hold the gradient at the output.

        Args:
            batch: the samples.
            key: of the random stream of dropout.
            dropout: False to leave dropout out.
            loaded: called once the samples are in memory.
            total: weight of all samples of the batch that this one is a part of; loss and gradient are then this
                part's share. None: this is the whole batch.

        Returns:
            The activations of each layer, the input first, and the loss.
        """
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
        targets = batch.load_targets(signals[0].values, z, net.scaling, self.threads)
        return signals, self.loss.gradient(z, targets, share, self.threads)

    def backward(self, signals: list[Activations], sink: Sink) -> None:
        """Backward pass after `forward`, which overwrites the activations and hands each layer's gradient to `sink`."""
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
        """The loss of a batch and its gradient, added up over parts where there is a micro_batch_size.

        Args:
            batch: the samples.
            key: see `forward`.
            into: arrays to write to, of each layer along its connections and its biases; None: new ones.
            dropout: see `forward`.
            loaded: see `forward`.
            step: number of the update, for the message where the loss is not finite; None: any loss is accepted.

        Returns:
            The loss, and each layer's gradient.

        Raises:
            DivergenceError: where `step` is given and the loss is not finite.
        """
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


def require_finite(loss: float, step: int) -> None:
    """DivergenceError where the loss is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} at step {step}: training has diverged; lower the learning rate or scale the features"
        )
