"""One evolution of a fleet: each layer of all agents in one call of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored
from trulysparse._core.random import stream_keys
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.evolution.budget import as_lost
from trulysparse.evolution.evolution import Evolution
from trulysparse.evolution.grow import MAX_MULTIPLY_ADDS, LargestGradient, no_growth, uniform
from trulysparse.evolution.prune import magnitude, sign_magnitude
from trulysparse.evolution.view import check_batch, padded
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.initialization import LayerSizes, WeightInit
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.optim import OptimizerState


def check_fleet_method(method: Evolution) -> None:
    """InputError where fleets do not have a method.

    Args:
        method: the evolution.
    """
    if method.grow is no_growth and not method.schedule.fraction:
        return
    known = method.prune in (sign_magnitude, magnitude) and (method.grow is uniform or by_gradient(method))
    if known and method.budget is as_lost and method.density is None and not method.percolate:
        return
    raise InputError(
        "method must be one that fleets have: SET, RigL or Static, or Evolution(prune, grow, ...) of "
        "prune.sign_magnitude or prune.magnitude and grow.uniform or grow.LargestGradient(), each without density, "
        f"budget and percolate; not {method!r:.80}"
    )


def by_gradient(method: Evolution) -> bool:
    """Whether a method that fleets have grows where the gradient is largest."""
    return type(method.grow) is LargestGradient


class FleetEvolutionStep:
    """One evolution of a fleet, layer by layer in any order. Made by `FleetEvolver.start`.

    It is a sink of a backward pass (see nn/sinks.py): each layer then evolves on the pass's gradients, in place of an
    update, and the pass itself still uses the old connections.

    Args:
        method: one that `check_fleet_method` lets pass.
        layers: those that evolve, by number.
        optimizer_state: of each layer of the fleet; it is changed in place.
        keys: of each agent's random streams, (N,) uint64.
        threads: threads that kernels may use.
        fraction: of connections to replace now.
        init: how weights of new connections are drawn.
        added: counts to which each agent's new connections are added, (N,) int64.

    Attributes:
        layers: as given.
        n_added: connections that were added so far, of all agents.
    """

    def __init__(
        self,
        method: Evolution,
        layers: dict[int, FleetLayer],
        optimizer_state: Sequence[OptimizerState],
        *,
        keys: NDArray[np.uint64],
        threads: int,
        fraction: float,
        init: WeightInit,
        added: NDArray[np.int64],
    ) -> None:
        self.layers = layers
        self.n_added = 0
        self._method, self._states, self._keys, self._added = method, optimizer_state, keys, added
        self._threads, self._fraction, self._init = threads, fraction, init
        self._evolved: set[int] = set()
        self._change: list[Any] | None = None

    def evolve_layer(self, number: int, x: Floats | None = None, dy: Floats | None = None) -> int:
        """Evolves one layer of all agents.

        Args:
            number: of the layer, from 0. Layers that do not evolve are left as they are.
            x: the layer's input, (N * n_in, samples) or (N, n_in, samples), of the type of its weights, where the
                method needs gradients.
            dy: the loss gradient at its pre-activation, (N * n_out, samples) or (N, n_out, samples), likewise.

        Returns:
            The number of connections that were added, of all agents.
        """
        if number not in self.layers:
            return 0
        self.decide(number, x, dy)
        return self.apply(number)

    def decide(self, number: int, x: Floats | None, dy: Floats | None) -> None:
        """Makes the layer's new connections, with their weights and optimizer state; the layer does not change.

        Args:
            number: of an evolving layer.
            x: see `evolve_layer`.
            dy: see `evolve_layer`.

        Raises:
            InputError: where the method needs gradients and has none, or others than the layer's, or those of an agent
                are not finite, or the layer has evolved in this step before.
        """
        if number in self._evolved:
            raise InputError(f"layer {number} has evolved in this step: a step takes a batch as a whole, and once")
        self._change = None
        if not self._fraction:
            return
        layer, state = self.layers[number], self._states[number]
        rows = layer.connectivity.by_input
        x, dy = _batch_of(layer, x, dy) if by_gradient(self._method) else (None, None)
        draws = self._method.fresh == "init"
        scale, added = self._scale(layer) if draws else (_kernels.WeightScale(0.0), None)
        fresh = state.fresh or ("zero",) * len(state.weight)
        *change, failed, outside = _kernels.fleet_evolve(
            rows.ptr,
            rows.index,
            layer.n_agents,
            layer.n_out // layer.n_agents,
            [layer.values, *state.weight],
            [False, *(kind == "median" for kind in fresh)],
            self._method.prune is sign_magnitude,
            self._fraction,
            None if by_gradient(self._method) else stream_keys(self._keys, "grow", number),
            x,
            dy,
            stream_keys(self._keys, "fresh", number) if draws else None,
            self._init.kind,
            scale,
            added,
            self._threads,
        )
        if failed >= 0:
            reason = "connections outside its block" if outside else "gradients that are not finite"
            raise InputError(f"layers[{number}] cannot evolve: agent {failed} has {reason}")
        self._change = change

    def apply(self, number: int) -> int:
        """Gives the layer what `decide` has just made for it.

        Args:
            number: of an evolving layer.

        Returns:
            The number of connections that were added, of all agents.
        """
        self._evolved.add(number)
        if self._change is None:
            return 0
        layer, state = self.layers[number], self._states[number]
        ptr, index, outputs, arrays, grown = self._change
        self._change = None
        new = int(grown.sum())
        if new:
            layer.connectivity = Connectivity.trusted(layer.n_in, layer.n_out, ptr, index, self._threads, outputs)
            layer.values, state.weight[:] = arrays[0], arrays[1:]
        self._added += grown
        self.n_added += new
        return new

    def take(self, number: int, layer: Layer, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        """Evolves a layer in a backward pass, in place of its update; see Sink. Layers are told apart by what they are,
        not by their number.

        Args:
            number: of the layer in the pass.
            layer: the layer; one that does not evolve only passes the gradient on.
            dy: the loss gradient at its pre-activation.
            x: its input.
            dx: where to write the gradient at the pre-activation of x; None: not wanted.
            threads: how many.
        """
        number = next((known for known, each in self.layers.items() if each is layer), -1)
        if number >= 0:
            self.decide(number, x.values, dy)
        if dx is not None:  # with the connections that made the activations
            layer.input_gradient(dy, x, dx, threads)
        if number >= 0:
            self.apply(number)

    def _scale(self, layer: FleetLayer) -> tuple[_kernels.WeightScale, NDArray[np.float64] | None]:
        """The scale of new weights in each agent's layer, and where agents differ, what is added to its fan-in."""
        n_in, n_out = layer.n_in // layer.n_agents, layer.n_out // layer.n_agents
        scale = self._init.scale(LayerSizes(n_in, n_out, layer.n_connections // layer.n_agents), layer.activation)
        if scale.by_fan_in and self._init.rule == "xavier_uniform":
            return scale, np.maximum(1.0, layer.connections_per_agent / n_in)
        return scale, None


def _batch_of(layer: FleetLayer, x: Floats | None, dy: Floats | None) -> tuple[Floats, Floats]:
    """The batch as the kernels take it, or InputError."""
    if x is None or dy is None:
        raise InputError("the method needs gradients: give x and dy, or hand start() to a backward pass as its sink")
    x, dy = (
        array.reshape(array.shape[0] * array.shape[1], -1)
        if isinstance(array, np.ndarray) and array.ndim == 3
        else array
        for array in (x, dy)
    )
    columns = np.shape(x)[1] if np.ndim(x) == 2 else 0
    check_batch("x", x, (layer.n_in, columns), layer.values.dtype)
    check_batch("dy", dy, (layer.n_out, columns), layer.values.dtype)
    work = layer.n_in * (layer.n_out // layer.n_agents) * columns
    if work > MAX_MULTIPLY_ADDS:
        raise InputError(
            f"the exact gradient of {layer.n_agents} agents' layers takes {work:.1g} multiply-adds; at most "
            f"{MAX_MULTIPLY_ADDS:.0g} are possible: use a smaller batch or SET"
        )
    return padded(x), padded(dy)
