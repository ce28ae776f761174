"""Both passes through the layers of a network, one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from trulysparse._core.arrays import Floats, Stored
from trulysparse.data import Matrix, Scaling
from trulysparse.nn.activations_buffer import Activations, TrainingWorkspace
from trulysparse.nn.sinks import Sink

COLUMNS = 128
"""Samples per tile. A kernel walks over a layer's connections once per 128 columns; with more, the rows that it gathers
would not stay in cache from one such walk to the next."""

# A narrow network has larger tiles, as long as two layers' activations take no more than this: fewer calls of kernels.
_TILE_BYTES = 512 << 10


def tile_columns(sizes: Sequence[int]) -> int:
    """Samples per tile of a network with these numbers of neurons: 128, or more where it is narrow."""
    widest = max(a + b for a, b in pairwise(sizes))
    columns = COLUMNS
    while columns < 1024 and 2 * columns * widest * 4 <= _TILE_BYTES:
        columns *= 2
    return columns


class Layered(Protocol):
    """What passes need of a network."""

    layers: list[Any]
    """The chain, then the skip layer where there is one."""
    skip: bool
    layer_sizes: tuple[int, ...]
    storage_config: Any  # a StorageConfig
    scaling: Scaling | None
    preprocessor: Any  # a TablePreprocessor or None
    target_scaling: Scaling | None
    dtype: np.dtype[np.floating]
    output: str
    threads: int
    seed: int
    tape_pool: Any  # a TapePool
    n_updates: int
    """Updates by tapes, or by gradients in arrays, whose rounding took random numbers."""

    @property
    def chain(self) -> list[Any]:
        """The layers of which each is the input of the next: all but the skip layer."""

    @property
    def skip_layer(self) -> Any:
        """The layer from the inputs to the outputs, or None."""

    def workspace(self, every: int = 1) -> TrainingWorkspace:
        """Memory for activations."""

    def check_layers(self) -> None:
        """InputError where the layers do not fit together."""

    def matrix(self, X: Any, name: str = "X") -> Matrix:
        """Wraps samples for reading."""

    def activate_output(self, z: Floats, threads: int) -> None:
        """Applies the output activation in place."""


def forward_layers(
    net: Layered, signals: Sequence[Activations], keys: Sequence[int], threads: int, first: int = 0
) -> None:
    """Computes layers one by one.

    Args:
        net: the network.
        signals: the activations of a workspace; signals[0] holds the input, (n_inputs, columns), the others are
            overwritten.
        keys: keys[l] names the random stream of the dropout behind layer l, counted from 0.
        threads: how many.
        first: number of the first layer to compute; signals[0] is its input then.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.passes import forward_layers
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> signals = net.workspace().signals(3, 1.0)
        >>> signals[0].values[:] = 1
        >>> forward_layers(net, signals, [0, 0], threads=1)
        >>> signals[-1].values.shape[0]
        2
    """
    chain = net.chain
    layers = chain[first : first + len(signals) - 1]
    in_files = net.storage_config.folder is not None
    for number, (layer, x, y) in enumerate(zip(layers, signals, signals[1:], strict=False)):
        if in_files and number + 1 < len(layers):
            layers[number + 1].fetch()
        layer.forward(x, y, keys[first + number], threads)
        if in_files:
            layer.release()
    if net.skip and len(layers) == len(chain):
        net.skip_layer.forward(signals[0], signals[-1], 0, threads, add=True)


def backward_layers(
    net: Layered,
    signals: Sequence[Activations],
    dy: Stored,
    sink: Sink,
    *,
    threads: int,
    input_gradient: Stored | None = None,
    keys: Sequence[int] = (),
    every: int = 1,
) -> None:
    """Takes a loss gradient from the output down to the first layer, one layer at a time.

    Args:
        net: the network.
        signals: as `forward_layers` left them; each but the first is overwritten by the gradient at its pre-activation.
        dy: the loss gradient at the output's pre-activation, (n_outputs, columns).
        sink: what each layer's gradient is handed to.
        threads: how many.
        input_gradient: where to write the gradient at the network's input, (n_inputs, columns); None: not wanted.
        keys: those of the forward pass; needed where every > 1.
        every: of the signals only each every-th was kept; those between are computed again.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.nn.passes import backward_layers, forward_layers
        >>> from trulysparse.nn.sinks import Gradients
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> signals = net.workspace().signals(3, 1.0)
        >>> signals[0].values[:] = 1
        >>> forward_layers(net, signals, [0, 0], threads=1)
        >>> sink = Gradients([layer.new_gradient() for layer in net.layers])
        >>> backward_layers(net, signals, np.ones_like(signals[-1].values), sink, threads=1)
        >>> [weight.shape == layer.values.shape for (weight, _), layer in zip(sink.arrays, net.layers)]
        [True, True]
    """
    last = len(net.chain) - 1
    at_output = dy
    in_files = net.storage_config.folder is not None
    for number in range(last, -1, -1):
        # What the last layers left is still there; later layers have overwritten that of others.
        if every > 1 and number % every == every - 1 and number + 1 < last:
            first = number + 1 - every
            forward_layers(net, signals[first : number + 1], keys, threads, first)
        layer, x = net.layers[number], signals[number]
        if in_files:
            layer.fetch()
        sink.take(number, layer, dy, x, x.values if number else input_gradient, threads)
        if in_files:
            layer.release()
        dy = x.values
    if net.skip:
        skip, x = net.skip_layer, signals[0]
        if input_gradient is not None:  # before the sink changes weights
            skip.input_gradient(at_output, x, input_gradient, threads, add=True)
        sink.take(last + 1, skip, at_output, x, None, threads)
