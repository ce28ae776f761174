"""The passes of one batch through a network: forward, loss, and backward to gradients or to an update."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse._random import stream_key
from trulysparse._workspace import TrainingWorkspace
from trulysparse.errors import DivergenceError
from trulysparse.layers import Signal, Slots
from trulysparse.losses import Loss
from trulysparse.network import SparseMLP
from trulysparse.training.job import Batch


class Passes:
    """Passes through `net`, with memory for the activations of one batch. Several may share a network's arrays, each
    in a thread of its own. every: keep each every-th layer's activations from the forward pass, and compute those
    between again on the way back."""

    def __init__(self, net: SparseMLP, loss: Loss, threads: int, every: int = 1) -> None:
        self.net = net
        self.loss = loss
        self.threads = threads
        self.every = every
        self._keys: list[int] = []
        self.resize()

    def resize(self) -> None:
        """Takes note that layers have another number of neurons."""
        net = self.net
        self.sizes = net.layer_sizes
        activations = [layer.activation for layer in net.layers]
        self._work = TrainingWorkspace(
            net.layer_sizes, activations, net.signal_types(), every=self.every, compact=net.layout.compact
        )

    def forward(
        self,
        batch: Batch,
        keep_probability: float,
        key: int,
        loaded: Callable[[], None] | None = None,
        total: float | None = None,
    ) -> tuple[list[Signal], float]:
        """Forward pass and mean loss; the last signal then holds the gradient at the output. key: of dropout. loaded:
        called when the batch is there. total: the weight of all samples (their number, where they have none) of the
        batch that this is a part of; loss and gradient are then this part's share."""
        reader, rows, targets, weight = batch
        net = self.net
        signals = self._work.signals(len(rows), keep_probability)
        reader.load(rows, signals[0].values, net.scaling, self.threads)
        if loaded is not None:
            loaded()
        self._keys = [(key + number) & (2**64 - 1) for number in range(len(net.layers))]
        net.forward(signals, self._keys, self.threads)
        z = signals[-1].values
        share = np.zeros(z.shape[1], net.dtype)
        if total is None:
            total = total_weight(batch)
        if weight is None:
            share[: len(rows)] = 1.0 / total
        elif total > 0:
            share[: len(rows)] = weight / total
        return signals, self.loss.gradient(z, targets, share, self.threads)

    def downwards(self, signals: list[Signal]) -> Iterator[int]:
        """Numbers of the layers from the last to the first, each once the values of its input are there."""
        every, n = self.every, len(self.net.layers)
        for number in reversed(range(n)):
            # What the last layers left is still there; later layers have overwritten that of others.
            if every > 1 and number % every == every - 1 and number + 2 < n:
                first = number + 1 - every
                self.net.forward(signals[first : number + 1], self._keys, self.threads, first)
            self.net.layers[number].fetch()
            yield number
            self.net.layers[number].release()

    def gradients(
        self, signals: list[Signal], into: Sequence[tuple[Floats, Floats]] | None = None, add: bool = False
    ) -> list[tuple[Floats, Floats]]:
        """Layer by layer the gradients along connections (in the order of by_input, or of the tiles) and biases, in
        arrays of their own, in `into`, or added to what is there. Uses the signals up."""
        layers, found = self.net.layers, []
        for number in self.downwards(signals):
            x, dx = signals[number], signals[number].values if number else None
            out = None if into is None else into[number]
            found.append(layers[number].gradients(signals[number + 1].values, x, dx, self.threads, out, add))
        return found[::-1]

    def update(self, signals: list[Signal], slots: list[Slots], rule: _kernels.UpdateRule, key: int) -> None:
        """Updates the network. Uses the signals up. key: of stochastic rounding."""
        layers, rounded = self.net.layers, self.net.layout.compact
        for number in self.downwards(signals):
            x, dx = signals[number], signals[number].values if number else None
            if rounded:
                rule.key = stream_key(key, "rounding", number)
            layers[number].backward(signals[number + 1].values, x, dx, slots[number], rule, self.threads)

    def apply(
        self, gradients: list[tuple[Floats, Floats]], slots: list[Slots], rule: _kernels.UpdateRule, key: int
    ) -> None:
        """Updates the network by gradients that were added up."""
        for number, (layer, found) in enumerate(zip(self.net.layers, gradients, strict=True)):
            rule.key = stream_key(key, "rounding", number)
            layer.fetch()
            layer.update([(*found, 1.0)], slots[number], rule, self.threads)
            layer.release()


def accumulated(
    passes: Passes,
    batch: Batch,
    size: int,
    dropout: float,
    key: int,
    *,
    into: list[tuple[Floats, Floats]] | None = None,
    loaded: Callable[[], None] | None = None,
    step: int | None = None,
) -> tuple[float, list[tuple[Floats, Floats]]]:
    """The loss of a batch and its gradient, the sum of those of parts of `size` samples, in `into` or arrays of its
    own. key: of dropout. loaded: called when the first part is there. step: of a training, whose loss must be finite
    (else DivergenceError)."""
    matrix, rows, targets, weight = batch
    value, total, found = 0.0, total_weight(batch), into
    for part, start in enumerate(range(0, len(rows), size)):
        here = slice(start, start + size)
        piece = matrix, rows[here], targets[here], None if weight is None else weight[here]
        own = stream_key(key, "part", part) if part and key else key
        signals, share = passes.forward(piece, 1.0 - dropout, own, None if part else loaded, total)
        if step is not None:
            require_finite(share, step)
        value += share
        found = passes.gradients(signals, found, add=part > 0)
    assert found is not None
    return value, found


def total_weight(batch: Batch) -> float:
    """The weight of a batch's samples, their number where they have none."""
    _, rows, _, weight = batch
    return float(len(rows) if weight is None else weight.sum())


def require_finite(loss: float, step: int) -> None:
    """DivergenceError where the loss is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} at step {step}: training has diverged; lower the learning rate or scale the features"
        )
