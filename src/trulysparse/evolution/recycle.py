"""Neurons that do next to nothing get a new start, where they are: their connections stay, their weights do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats, Stored
from trulysparse.evolution.layers import EvolvableLayers, consecutive_layers, listed_layers, listed_states
from trulysparse.evolution.similarity import n_samples, own_output
from trulysparse.evolution.step import EvolutionStep, Method
from trulysparse.evolution.view import LayerView
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.base import Layer
from trulysparse.optim import OptimizerState

SMALLEST = 1e-9
"""Added to a layer's mean activation, as in the authors' code."""


def dormant_neurons(values: Floats, tau: float) -> NDArray[np.bool_]:
    """The neurons of a layer whose mean |activation| is at most tau times the mean over the layer.

    Args:
        values: activations of the layer, (n_neurons, samples), or (n_networks, n_neurons, samples) of many networks.
        tau: at least 0.

    Returns:
        (n_neurons,), or (n_networks, n_neurons), True where a neuron is dormant.

    Source:
        Sokar et al., "The dormant neuron phenomenon in deep reinforcement learning", ICML 2023, definition 3.1.

    Example:
        >>> import numpy as np
        >>> from trulysparse.evolution.recycle import dormant_neurons
        >>> dormant_neurons(np.array([[3.0, 5.0], [0.0, 0.05], [0.0, 0.0]]), tau=0.025)
        array([False,  True,  True])
    """
    mean = np.abs(values).mean(axis=-1, dtype=np.float64)
    dormant: NDArray[np.bool_] = mean / (mean.mean(axis=-1, keepdims=True) + SMALLEST) <= tau
    return dormant


class Recycles(Method, Protocol):
    """A method of evolution that also gives dormant neurons a new start."""

    tau: float


class RecycleStep(EvolutionStep):
    """An evolution at which dormant neurons get a new start too, layer by layer in any order.

    Which neurons are dormant is known from the next layer's input or, where that comes later, from what the layer makes
    of its own; it is decided once. What the method itself changes comes first.

    Args:
        method: the method.
        layers: a network, a layer or layers that follow one another.
        optimizer_state: see EvolutionStep.
        key: likewise.
        threads: likewise.
        training_progress: likewise.
        evolution_state: likewise; 'n_recycled' counts, by layer, the neurons that have got a new start.
        **settings: the others of EvolutionStep.

    Attributes:
        n_recycled: neurons that have got a new start in this step.
    """

    def __init__(
        self,
        method: Recycles,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        key: int,
        threads: int,
        training_progress: float,
        evolution_state: dict[str, Any],
        **settings: Any,
    ) -> None:
        super().__init__(method, layers, optimizer_state, key, threads, training_progress, evolution_state, **settings)
        self._tau = method.tau
        every, states = listed_layers(layers), listed_states(layers, optimizer_state)
        chain = consecutive_layers(layers, "ReDo")
        numbers = [next(n for n, layer in enumerate(every) if layer is each) for each in chain]
        self._chain = {
            number: LayerView(
                layer, states[number], number, 0.0, key, threads, evolution_state.setdefault(f"{number}", {})
            )
            for number, layer in zip(numbers, chain, strict=True)
        }
        self._last = max(self._chain)
        self._dormant: dict[int, NDArray[np.bool_]] = {}  # of the outputs of each layer but the last
        self.n_recycled = 0

    def evolve_layer(self, number: int, x: Floats | None = None, dy: Floats | None = None) -> int:
        """See EvolutionStep; the output layer takes part too.

        Args:
            number: of the layer, from 0.
            x: its input, (n_in, samples).
            dy: the loss gradient at its pre-activation, (n_out, samples).

        Returns:
            The number of connections that were added.
        """
        if number not in self._chain and number not in self.views:
            return 0
        self.decide(number, x, dy)
        return self.apply(number)

    def decide(self, number: int, x: Floats | None, dy: Floats | None) -> None:
        """Decides which neurons at the layer's two ends are dormant, and what the method decides.

        Args:
            number: of the layer.
            x: see `evolve_layer`.
            dy: see `evolve_layer`.

        Raises:
            InputError: where x or dy is not the layer's.
        """
        if number in self._chain:
            view = self._chain[number]
            view.set_batch(x, dy)
            inputs, gradient = view.require_batch()
            samples = n_samples(gradient)
            if number > 0 and number - 1 not in self._dormant:
                self._dormant[number - 1] = dormant_neurons(inputs[:, :samples], self._tau)
            if number < self._last and number not in self._dormant:
                self._dormant[number] = dormant_neurons(own_output(view)[:, :samples], self._tau)
            view.x = view.dy = None
        if number in self.views:
            super().decide(number, x, dy)

    def apply(self, number: int) -> int:
        """Changes the layer as the method decided; then dormant neurons get new weights in and weights of 0 out.

        Args:
            number: of the layer.

        Returns:
            The number of connections that were added.
        """
        added = super().apply(number) if number in self.views else 0
        if number in self._chain:
            self._recycle(self._chain[number])
        return added

    def take(self, number: int, layer: Layer, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        """Evolves a layer in a backward pass, in place of its update; see EvolutionStep.

        Args:
            number: of the layer in the pass.
            layer: the layer.
            dy: the loss gradient at its pre-activation.
            x: its input.
            dx: where to write the gradient at the pre-activation of x; None: not wanted.
            threads: how many.
        """
        known = {**self.views, **self._chain}
        number = next((each for each, view in known.items() if view.layer is layer), -1)
        if number >= 0:
            self.decide(number, x.values, dy)
        if dx is not None:
            layer.input_gradient(dy, x, dx, threads)
        if number >= 0:
            self.apply(number)

    def _recycle(self, view: LayerView) -> None:
        """New weights, a bias of 0 and fresh optimizer state of connections into dormant neurons, the same with weights
        of 0 of those out of them. New arrays take the place of the layer's, as in any evolution."""
        layer, state, number = view.layer, view.optimizer_state, view.number
        into, out_of = self._dormant.get(number), self._dormant.get(number - 1)
        rows = layer.connectivity.by_input
        starts = np.zeros(layer.n_connections, np.bool_) if into is None else into[rows.index]
        ends = np.zeros_like(starts) if out_of is None else np.repeat(out_of, np.diff(rows.ptr))
        if into is not None and into.any():
            self.n_recycled += int(into.sum())
            view.rule_state["n_recycled"] = view.rule_state.get("n_recycled", 0) + int(into.sum())
            if layer.bias.size:
                layer.bias = np.where(into, layer.bias.dtype.type(0), layer.bias)
                state.bias[:] = [np.where(into, values.dtype.type(0), values) for values in state.bias]
        if not (starts.any() or ends.any()):
            return
        values = layer.values.copy()
        if starts.any():
            outputs, scale = rows.index[starts], self._init.scale(layer.connectivity, layer.activation)
            fan_in = np.diff(layer.connectivity.indptr) if scale.by_fan_in else None
            key = view.stream("recycle")
            values[starts] = self._init.draw_new(outputs, fan_in, scale, values.dtype, key, self._threads)
        values[ends] = 0
        stays = (~(starts | ends)).astype(np.uint8)
        fresh = state.fresh_values(stays, self._threads)
        state.weight[:] = [
            np.where(stays, slot, values if start is None else slot.dtype.type(start))
            for slot, start in zip(state.weight, fresh, strict=True)
        ]
        layer.values = values
