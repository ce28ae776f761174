"""Both passes through the layers of a network, and what becomes of the gradients of parameters: an update on the spot, or
arrays.

A batch is taken in tiles of columns (samples), one tile through all layers before the next: what a layer leaves is still
in cache when the next one reads it. Gradients of a batch of several tiles are added up tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any, Protocol
from weakref import ref

from trulysparse import _kernels
from trulysparse._core.arrays import Stored
from trulysparse._core.random import stream_key
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import gradient_rule

COLUMNS = 128
"""Samples per tile. A kernel walks over a layer's connections once per 128 columns; with more, the rows that it gathers
would not stay in cache from one such walk to the next."""

# A narrow network has larger tiles, as long as two layers' activations take no more than this: fewer calls of kernels.
_TILE_BYTES = 512 << 10


def tile_columns(sizes: Sequence[int]) -> int:
    """Samples per tile of a network with these numbers of neurons: 128, or more where it is narrow."""
    widest = max(a + b for a, b in zip(sizes, sizes[1:], strict=False))
    columns = COLUMNS
    while columns < 1024 and 2 * columns * widest * 4 <= _TILE_BYTES:
        columns *= 2
    return columns


class CheckedLayers:
    """A network's layers, and all they consist of, when they passed its check. Holds on to none of them.

    Args:
        net: the network; None: nothing has passed.
    """

    def __init__(self, net: Any = None) -> None:
        self._net, self._parts = ((), []) if net is None else (_settings_of(net), [ref(part) for part in _parts_of(net)])

    def are(self, net: Any) -> bool:
        """Whether a network still consists of the very objects that passed."""
        known, parts = self._net, self._parts
        if len(known) != 3 or not all(map(is_, known, _settings_of(net))) or len(parts) != 4 * len(net.layers):
            return False
        return all(part is known() for part, known in zip(_parts_of(net), parts, strict=True))

    def __reduce__(self) -> tuple[type[CheckedLayers], tuple[()]]:
        """Copies and pickles of a network check layers of their own."""
        return CheckedLayers, ()


def _settings_of(net: Any) -> tuple[Any, ...]:
    return net.layer_sizes, net.storage_config, net.scaling


def _parts_of(net: Any) -> list[Any]:
    parts: list[Any] = []
    for layer in net.layers:
        parts += (layer, layer.connectivity, layer.values, layer.bias)
    return parts


class Sink(Protocol):
    """Takes the gradients of a network's layers one by one, from the last layer to the first."""

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        """Takes the gradient of layer `number`.

        Args:
            number: of the layer, from 0.
            layer: the layer.
            dy: the loss gradient at its own pre-activation.
            x: its input.
            dx: where to write the gradient at the pre-activation of x; it may be x.values. None: not wanted.
            threads: how many.
        """


@dataclass
class Update:
    """Updates weights and biases as their gradients become known.

    Args:
        optimizer_state: of each layer.
        rule: of the optimizer.
        key: of the random numbers of stochastic rounding; None: nothing is rounded.
        gradients: of the batch's earlier parts, by layer; None: there are none.
    """

    optimizer_state: Sequence[OptimizerState]
    rule: _kernels.UpdateRule
    key: int | None = None
    gradients: Sequence[ParameterGradient] | None = None

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        gradient = None if self.gradients is None else self.gradients[number]
        rule = self._rule_of(number)
        rule.add = gradient is not None
        layer.backward(dy, x, dx, self.optimizer_state[number], rule, threads, gradient)

    def apply(
        self, layers: Sequence[Any], gradients: Sequence[ParameterGradient], threads: int, factor: float = 1.0
    ) -> None:
        """Updates layers by gradients that are known, times `factor`."""
        self.rule.add = False
        for number, (layer, gradient) in enumerate(zip(layers, gradients, strict=True)):
            layer.fetch()
            layer.update([(*gradient, factor)], self.optimizer_state[number], self._rule_of(number), threads)
            layer.release()

    def _rule_of(self, number: int) -> _kernels.UpdateRule:
        if self.key is not None:
            self.rule.key = stream_key(self.key, "rounding", number)
        return self.rule


@dataclass
class Gradients:
    """Puts gradients into arrays and leaves parameters as they are.

    Args:
        arrays: of each layer, see Layer.new_gradient.
        add: to what is there.
    """

    arrays: Sequence[ParameterGradient]
    add: bool = False

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        layer.gradients(dy, x, dx, threads, self.arrays[number], self.add)


@dataclass
class InputGradient:
    """Takes the gradient at the network's input alone; parameters stay as they are."""

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        if dx is not None:
            layer.input_gradient(dy, x, dx, threads)


@dataclass(eq=False)
class TilePass:
    """One tile of a batch on its way through a network.

    Args:
        net: the network: an object with `layers` and `storage_config`.
        signals: activations of a workspace, the input first.
        every: of them only each every-th is kept from the forward to the backward pass; those between are computed
            again.
        keys: of the random streams of dropout, one per layer.
    """

    net: Any
    signals: list[Activations]
    every: int = 1
    keys: Sequence[int] = ()
    # Prepared calls, and the objects that they were prepared for.
    _forward: tuple[list[Any], list[_kernels.ForwardCall]] = field(default=([], []), repr=False)
    _backward: tuple[list[Any], list[_kernels.BackwardCall]] = field(default=([], []), repr=False)

    def forward(self, key: int, threads: int) -> None:
        """Computes all layers; `key` names the random streams of dropout."""
        self.start(key)
        calls = self.forward_calls()
        if calls is None:
            forward_layers(self.net, self.signals, self.keys, threads)
        else:
            _kernels.run_forward([calls], [self.keys], threads)

    def backward(self, dy: Stored, sink: Sink, threads: int, input_gradient: Stored | None = None) -> None:
        """Takes the gradient from the output down; see backward_layers."""
        link = self.backward_calls(dy, sink, input_gradient)
        if link is None:
            backward_layers(
                self.net,
                self.signals,
                dy,
                sink,
                threads=threads,
                input_gradient=input_gradient,
                keys=self.keys,
                every=self.every,
            )
        else:
            _kernels.run_backward([[link]], threads)

    def start(self, key: int) -> None:
        """Sets the keys of the random streams of dropout."""
        self.keys = [(key + number) & (2**64 - 1) for number in range(len(self.net.layers))]

    def forward_calls(self) -> list[_kernels.ForwardCall] | None:
        """The kernels' calls of a forward pass, or None where layers must be computed one by one."""
        layers, signals = self.net.layers, self.signals
        arrays: list[Any] = [signals[0].values]
        for layer in layers:
            arrays += (layer.connectivity, layer.values, layer.bias)
        known, calls = self._forward
        if len(known) == len(arrays) and all(map(is_, known, arrays)):
            return calls
        self._forward = ([], [])
        if self.every > 1:
            return None
        calls = []
        for layer, x, y in zip(layers, signals[:-1], signals[1:], strict=True):
            call = layer.forward_call(x, y)
            if call is None:
                return None
            calls.append(call)
        self._forward = (arrays, calls)
        return calls

    def backward_calls(
        self, dy: Stored, sink: Sink, input_gradient: Stored | None
    ) -> tuple[list[_kernels.BackwardCall], _kernels.UpdateRule] | None:
        """The kernels' calls of a backward pass and the rule that they apply, or None where layers must be computed one
        by one."""
        layers, signals = self.net.layers, self.signals
        states: Sequence[OptimizerState] | None = None
        gradients: Sequence[ParameterGradient] | None
        if type(sink) is Update:
            states, gradients, rule = sink.optimizer_state, sink.gradients, sink.rule
            rule.add = gradients is not None
        elif type(sink) is Gradients:
            gradients, rule = sink.arrays, gradient_rule(add=sink.add)
        elif type(sink) is InputGradient:
            gradients, rule = None, _kernels.UpdateRule()
            if input_gradient is None:
                return None
        else:
            return None
        arrays: list[Any] = [dy, input_gradient, signals[0].values]
        for layer in layers:
            arrays += (layer.connectivity, layer.values, layer.bias)
        for state in states or ():
            arrays += state.weight
            arrays += state.bias
        for gradient in gradients or ():
            arrays += gradient
        known, calls = self._backward
        if len(known) == len(arrays) and all(map(is_, known, arrays)):
            return calls, rule
        self._backward = ([], [])
        if self.every > 1:
            return None
        calls, below = [], dy
        for number in range(len(layers) - 1, -1, -1):
            x = signals[number]
            call = layers[number].backward_call(
                below,
                x,
                x.values if number else input_gradient,
                None if states is None else states[number],
                None if gradients is None else gradients[number],
            )
            if call is None:
                return None
            calls.append(call)
            below = x.values
        self._backward = (arrays, calls)
        return calls, rule


def forward_layers(
    net: Any, signals: Sequence[Activations], keys: Sequence[int], threads: int, first: int = 0
) -> None:
    """Computes layers one by one.

    Args:
        net: an object with `layers` and `storage_config`.
        signals: the activations of a workspace; signals[0] holds the input, (n_inputs, columns), the others are
            overwritten.
        keys: keys[l] names the random stream of the dropout behind layer l, counted from 0.
        threads: how many.
        first: number of the first layer to compute; signals[0] is its input then.

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> signals = net.workspace().signals(3, 1.0)
        >>> signals[0].values[:] = 1
        >>> forward_layers(net, signals, [0, 0], threads=1)
        >>> signals[-1].values.shape[0]
        2
    """
    layers = net.layers[first : first + len(signals) - 1]
    in_files = net.storage_config.folder is not None
    for number, (layer, x, y) in enumerate(zip(layers, signals, signals[1:], strict=False)):
        if in_files and number + 1 < len(layers):
            layers[number + 1].fetch()
        layer.forward(x, y, keys[first + number], threads)
        if in_files:
            layer.release()


def backward_layers(
    net: Any,
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
        net: an object with `layers` and `storage_config`.
        signals: as `forward_layers` left them; each but the first is overwritten by the gradient at its pre-activation.
        dy: the loss gradient at the output's pre-activation, (n_outputs, columns).
        sink: what each layer's gradient is handed to.
        threads: how many.
        input_gradient: where to write the gradient at the network's input, (n_inputs, columns); None: not wanted.
        keys: those of the forward pass; needed where every > 1.
        every: of the signals only each every-th was kept; those between are computed again.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> signals = net.workspace().signals(3, 1.0)
        >>> signals[0].values[:] = 1
        >>> forward_layers(net, signals, [0, 0], threads=1)
        >>> sink = Gradients([layer.new_gradient() for layer in net.layers])
        >>> backward_layers(net, signals, np.ones_like(signals[-1].values), sink, threads=1)
        >>> [weight.shape == layer.values.shape for (weight, _), layer in zip(sink.arrays, net.layers)]
        [True, True]
    """
    last = len(net.layers) - 1
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
