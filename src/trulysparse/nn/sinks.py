"""What becomes of the gradients of parameters in a backward pass: an update on the spot, or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trulysparse._core.arrays import Floats, Stored
from trulysparse._core.random import stream_key
from trulysparse._kernels import UpdateRule
from trulysparse.nn.activations_buffer import Activations
from trulysparse.optim import OptimizerState
from trulysparse.optim.rules import Rule

ParameterGradient = tuple[Floats, Floats]
"""One layer's: along connections (in the order of by_input, or of the tiles), along biases."""


class Sink(Protocol):
    """Takes the layers of a network one by one, from the last to the first."""

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


class Update:
    """Updates weights and biases as their gradients become known.

    Args:
        optimizer_state: of each layer.
        rule: of the optimizer.
        key: of the random numbers of stochastic rounding; None: nothing is rounded.
    """

    def __init__(self, optimizer_state: Sequence[OptimizerState], rule: Rule, key: int | None = None) -> None:
        self._optimizer_state = optimizer_state
        self._rule = rule
        self._key = key

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        layer.backward(dy, x, dx, self._optimizer_state[number], self._rule_of(number), threads)

    def apply(self, layers: Sequence[Any], gradients: Sequence[ParameterGradient], threads: int) -> None:
        """Updates layers by gradients that have been added up."""
        for number, (layer, gradient) in enumerate(zip(layers, gradients, strict=True)):
            layer.fetch()
            layer.update([(*gradient, 1.0)], self._optimizer_state[number], self._rule_of(number), threads)
            layer.release()

    def _rule_of(self, number: int) -> Any:
        if self._key is not None and isinstance(self._rule, UpdateRule):
            self._rule.key = stream_key(self._key, "rounding", number)
        return self._rule


class Gradients:
    """Puts gradients into arrays and leaves parameters as they are.

    Args:
        n_layers: layers of the network.
        into: arrays of each layer to write to; None: new ones.
        add: add to what is there.
    """

    def __init__(self, n_layers: int, into: Sequence[ParameterGradient] | None = None, *, add: bool = False) -> None:
        self._into = into
        self._add = add
        self._taken: list[ParameterGradient | None] = [None] * n_layers

    @property
    def arrays(self) -> list[ParameterGradient]:
        """Those of the layers that have been taken, the first layer's first."""
        return [gradient for gradient in self._taken if gradient is not None]

    def take(self, number: int, layer: Any, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        out = None if self._into is None else self._into[number]
        self._taken[number] = layer.gradients(dy, x, dx, threads, out, self._add)
