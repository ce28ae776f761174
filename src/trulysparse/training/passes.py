"""The passes of one batch through a network: forward, loss, and backward to gradients or to an update."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse._workspace import TrainingWorkspace
from trulysparse.errors import DivergenceError
from trulysparse.layers import Signal, Slots
from trulysparse.losses import Loss
from trulysparse.network import SparseMLP
from trulysparse.training.job import Batch


class Passes:
    """Passes through `net`, with memory for the activations of one batch. Several may share a network's arrays, each
    in a thread of its own."""

    def __init__(self, net: SparseMLP, loss: Loss, threads: int) -> None:
        self.net = net
        self.loss = loss
        self.threads = threads
        self.resize()

    def resize(self) -> None:
        """Takes note that layers have another number of neurons."""
        net = self.net
        self._work = TrainingWorkspace(net.layer_sizes, [layer.activation for layer in net.layers], net.dtype)

    def forward(
        self, batch: Batch, keep_probability: float, key: int, loaded: Callable[[], None] | None = None
    ) -> tuple[list[Signal], float]:
        """Forward pass and mean loss; the last signal then holds the gradient at the output. key: of dropout. loaded:
        called when the batch is there."""
        matrix, rows, targets, weight = batch
        net = self.net
        signals = self._work.signals(len(rows), keep_probability)
        matrix.load(rows, signals[0].values, net.scaling, self.threads)
        if loaded is not None:
            loaded()
        keys = [(key + number) & (2**64 - 1) for number in range(len(net.layers))]
        net.forward(signals, keys, self.threads)
        z = signals[-1].values
        share = np.zeros(z.shape[1], net.dtype)
        if weight is None:
            share[: len(rows)] = 1.0 / len(rows)
        elif (total := weight.sum()) > 0:
            share[: len(rows)] = weight / total
        return signals, self.loss.gradient(z, targets, share, self.threads)

    def gradients(
        self, signals: list[Signal], into: Sequence[tuple[Floats, Floats]] | None = None
    ) -> list[tuple[Floats, Floats]]:
        """Layer by layer the gradients along connections (in the order of by_input) and biases, in arrays of their own
        or in `into`. Uses the signals up."""
        layers, found = self.net.layers, []
        for number in reversed(range(len(layers))):
            x, dx = signals[number], signals[number].values if number else None
            out = None if into is None else into[number]
            found.append(layers[number].gradients(signals[number + 1].values, x, dx, self.threads, out))
        return found[::-1]

    def update(self, signals: list[Signal], slots: list[Slots], rule: _kernels.UpdateRule) -> None:
        """Updates the network. Uses the signals up."""
        layers = self.net.layers
        for number in reversed(range(len(layers))):
            x, dx = signals[number], signals[number].values if number else None
            layers[number].backward(signals[number + 1].values, x, dx, slots[number], rule, self.threads)


def require_finite(loss: float, step: int) -> None:
    """DivergenceError where the loss is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} at step {step}: training has diverged; lower the learning rate or scale the features"
        )
