"""What becomes of the gradients of parameters in a backward pass: an update on the spot, or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from trulysparse._core.arrays import Floats, Stored, zeros
from trulysparse._core.random import stream_key
from trulysparse._kernels import UpdateRule
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.layers.tied import TiedLayer, join_ends
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import AnyRule, rule_of, set_add


class Sink(Protocol):
    """Takes the gradients of a network's layers one by one, from the last to the first, then of a skip layer."""

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
        rule: of the optimizer, one for all layers or one for each; in arrays only for `apply`.
        key: of the random numbers of stochastic rounding; None: nothing is rounded.
        gradients: of the batch's earlier parts, by layer; None: there are none.
    """

    optimizer_state: Sequence[OptimizerState]
    rule: AnyRule
    key: int | None = None
    gradients: Sequence[ParameterGradient] | None = None
    _tied: tuple[TiedLayer, Floats] | None = field(default=None, init=False, repr=False)

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        gradient = None if self.gradients is None else self.gradients[number]
        rule = self._rule_of(number)
        if not layer.own_weights:  # it comes before the first layer, which it shares the weights with
            rule.add = False
            found = layer.weight_gradient(dy, x, dx, threads, gradient)
            layer.update([(*found, 1.0)], self.optimizer_state[number], rule, threads)
            self._tied = layer, layer.in_order(found[0])
            return
        if number == 0 and self._tied is not None:
            tied, shared = self._tied
            if gradient is None:
                gradient = shared, zeros(layer.bias.size, shared.dtype)
            else:
                np.add(gradient[0], shared, out=gradient[0])
        rule.add = gradient is not None
        layer.backward(dy, x, dx, self.optimizer_state[number], rule, threads, gradient)
        if number == 0 and self._tied is not None:
            tied.follow(layer)
            self._tied = None

    def apply(
        self, layers: Sequence[Any], gradients: Sequence[ParameterGradient], threads: int, factor: float = 1.0
    ) -> None:
        """Updates layers by gradients that are known, times `factor`."""
        set_add(self.rule, False)
        join_ends(layers, gradients)
        for number, (layer, gradient) in enumerate(zip(layers, gradients, strict=True)):
            layer.fetch()
            layer.update([(*gradient, factor)], self.optimizer_state[number], self._rule_of(number), threads)
            layer.release()
        if isinstance(layers[-1], TiedLayer):
            layers[-1].follow(layers[0])

    def _rule_of(self, number: int) -> Any:
        rule = rule_of(self.rule, number)
        if self.key is not None and isinstance(rule, UpdateRule):
            rule.key = stream_key(self.key, "rounding", number)
        return rule


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
