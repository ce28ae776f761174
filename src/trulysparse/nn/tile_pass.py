"""TilePass: both passes of one tile of a batch, with the kernels' calls prepared.

A batch is taken in tiles of columns (samples), one tile through all layers before the next: what a layer leaves is then
still in cache when the next one reads it. Gradients of a batch of several tiles are added up tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any, TypeAlias
from weakref import ref

from trulysparse import _kernels
from trulysparse._core.arrays import Stored
from trulysparse._kernels import UpdateRule
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.passes import Layered, backward_layers, forward_layers
from trulysparse.nn.sinks import Gradients, InputGradient, Sink, Update
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import LayerRules, all_fused, gradient_rule, set_add


class CheckedLayers:
    """A network's layers, and all they consist of, when they passed its check. Holds on to none of them.

    Args:
        net: the network; None: nothing has passed.
    """

    def __init__(self, net: Layered | None = None) -> None:
        self._net, self._parts = (
            ((), []) if net is None else (_settings_of(net), [ref(part) for part in _parts_of(net)])
        )

    def are(self, net: Layered) -> bool:
        """Whether a network still consists of the very objects that passed."""
        known, parts = self._net, self._parts
        if not known or not all(map(is_, known, _settings_of(net))) or len(parts) != 4 * len(net.layers):
            return False
        return all(map(is_, [known() for known in parts], _parts_of(net)))

    def __reduce__(self) -> tuple[type[CheckedLayers], tuple[()]]:
        """Copies and pickles of a network check layers of their own."""
        return CheckedLayers, ()


def _settings_of(net: Layered) -> tuple[Any, ...]:
    return net.layer_sizes, net.storage_config, net.scaling, net.preprocessor, net.target_scaling


def _parts_of(net: Layered) -> list[Any]:
    parts: list[Any] = []
    for layer in net.layers:
        parts += (layer, layer.connectivity, layer.values, layer.bias)
    return parts


Links: TypeAlias = "list[tuple[list[_kernels.BackwardCall], UpdateRule]]"
"""Calls, each group with the rule that it applies."""


@dataclass(eq=False)
class TilePass:
    """One tile of a batch on its way through a network.

    Args:
        net: the network.
        signals: activations of a workspace, the input first.
        every: of them only each every-th is kept from the forward to the backward pass; those between are computed
            again.
        keys: of the random streams of dropout, one per layer.
    """

    net: Layered
    signals: list[Activations]
    every: int = 1
    keys: Sequence[int] = ()
    # Prepared calls, and the objects that they were prepared for.
    _forward: tuple[list[Any], list[_kernels.ForwardCall]] = field(default=([], []), repr=False)
    _backward: dict[type[Sink], tuple[list[Any], list[_kernels.BackwardCall]]] = field(default_factory=dict, repr=False)

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
        links = self.backward_calls(dy, sink, input_gradient)
        if links is None:
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
            _kernels.run_backward([links], threads)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles prepare their own calls."""
        return self.__dict__ | {"_forward": ([], []), "_backward": {}}

    def start(self, key: int) -> None:
        """Sets the keys of the random streams of dropout."""
        self.keys = [(key + number) & (2**64 - 1) for number in range(len(self.net.layers))]

    def forward_calls(self) -> list[_kernels.ForwardCall] | None:
        """The kernels' calls of a forward pass, or None where layers must be computed one by one."""
        net, signals = self.net, self.signals
        arrays: list[Any] = [signals[0].values]
        for layer in net.layers:
            arrays += (layer.connectivity, layer.values, layer.bias)
        known, calls = self._forward
        if len(known) == len(arrays) and all(map(is_, known, arrays)):
            return calls
        self._forward = ([], [])
        if self.every > 1:
            return None
        calls, last = [], len(signals) - 2
        for number, layer in enumerate(net.layers):
            skips = number > last
            call = layer.forward_call(*((signals[0], signals[-1]) if skips else signals[number : number + 2]), skips)
            if call is None:
                return None
            calls.append(call)
        self._forward = (arrays, calls)
        return calls

    def backward_calls(self, dy: Stored, sink: Sink, input_gradient: Stored | None) -> Links | None:
        """The kernels' calls of a backward pass with the rules that they apply, or None where layers must be computed
        one by one."""
        net, signals = self.net, self.signals
        layers = net.layers
        states: Sequence[OptimizerState] | None = None
        gradients: Sequence[ParameterGradient] | None
        rule: Any
        if type(sink) is Update and (type(sink.rule) is UpdateRule or all_fused(sink.rule)):
            states, gradients, rule = sink.optimizer_state, sink.gradients, sink.rule
            _set_add(rule, gradients is not None)
        elif type(sink) is Gradients:
            gradients, rule = sink.arrays, gradient_rule(add=sink.add)
        elif type(sink) is InputGradient:
            gradients, rule = None, UpdateRule()
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
        known, calls = self._backward.get(type(sink), ((), []))
        if len(known) == len(arrays) and all(map(is_, known, arrays)):
            return self._links(calls, rule)
        self._backward.pop(type(sink), None)
        if self.every > 1:
            return None
        calls = self._prepared(dy, input_gradient, states, gradients)
        if not calls:
            return None
        self._backward[type(sink)] = (arrays, calls)
        return self._links(calls, rule)

    def _backward_order(self) -> list[int]:
        """Numbers of the layers as a backward pass comes to them: from the last down, then the skip layer."""
        last = len(self.signals) - 2
        return [*range(last, -1, -1), *range(last + 1, len(self.net.layers))]

    def _prepared(
        self,
        dy: Stored,
        input_gradient: Stored | None,
        states: Sequence[OptimizerState] | None,
        gradients: Sequence[ParameterGradient] | None,
    ) -> list[_kernels.BackwardCall]:
        """The calls of a backward pass; none where a layer cannot be run so."""
        layers, calls, below = self.net.layers, [], dy
        last = len(self.signals) - 2
        for number in self._backward_order():
            skips = number > last
            x = self.signals[0 if skips else number]
            call = layers[number].backward_call(
                dy if skips else below,
                x,
                x.values if 0 < number <= last else input_gradient,
                None if states is None else states[number],
                None if gradients is None else gradients[number],
                skips,
            )
            if call is None:
                return []
            calls.append(call)
            below = x.values
        return calls

    def _links(self, calls: list[_kernels.BackwardCall], rule: Any) -> Links:
        """Calls with the rule of all layers, or of each."""
        if isinstance(rule, LayerRules):
            rules = [rule.rules[number] for number in self._backward_order()]
            return [([call], each) for call, each in zip(calls, rules, strict=True)]  # type: ignore[misc]
        return [(calls, rule)]


def _set_add(rule: Any, add: bool) -> None:
    if type(rule) is UpdateRule:  # as nearly always: without another file's function
        rule.add = add
    else:
        set_add(rule, add)
