"""FleetCalls: prepared calls of the kernels that take each agent of a fleet through all layers at once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any, Protocol, cast

from trulysparse import _kernels
from trulysparse.nn.activations import KernelActivation
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.optim import NO_STATE, OptimizerState


class Layers(Protocol):
    """What is needed of a Fleet."""

    @property
    def n_agents(self) -> int:
        """How many."""

    @property
    def threads(self) -> int:
        """Threads that prepare calls."""

    @property
    def layers(self) -> list[Any]:
        """The layers, first to last."""


class FleetCalls:
    """Prepared calls, made again where the arrays of the layers or of their optimizer state have been replaced."""

    def __init__(self) -> None:
        self._known: list[Any] = []
        self._call: _kernels.FleetCall | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles prepare their own calls."""
        return {"_known": [], "_call": None}

    def get(
        self,
        fleet: Layers,
        states: Sequence[OptimizerState] | None = None,
        gradients: Sequence[ParameterGradient] | None = None,
    ) -> _kernels.FleetCall | None:
        """The call of a fleet.

        Args:
            fleet: whose layers have been checked.
            states: optimizer state of each layer, for updates.
            gradients: arrays of each layer, for gradients.

        Returns:
            The call, or None where a layer cannot be computed so: its activation is written in Python, its weights are
            read-only, or a neuron has too many connections.
        """
        arrays: list[Any] = []
        for layer in fleet.layers:
            arrays += (layer, layer.connectivity, layer.values, layer.bias)
        for state in states or ():
            arrays += (*state.weight, *state.bias)
        for gradient in gradients or ():
            arrays += gradient
        if len(arrays) == len(self._known) and all(map(is_, arrays, self._known)):
            return self._call
        self._known, self._call = [], None  # arrays of before are free to go
        self._call = _prepared(fleet, states, gradients)
        self._known = arrays
        return self._call


def _prepared(
    fleet: Layers, states: Sequence[OptimizerState] | None, gradients: Sequence[ParameterGradient] | None
) -> _kernels.FleetCall | None:
    layers: list[FleetLayer] = fleet.layers
    if not all(map(_is_plain, layers)):
        return None
    call = _kernels.fleet_call(fleet.n_agents, layers[0].values.dtype.itemsize == 8)
    for number, layer in enumerate(layers):
        con = layer.connectivity
        state = NO_STATE if states is None else states[number]
        weight_gradient, bias_gradient = (None, None) if gradients is None else gradients[number]
        call.add_layer(
            ptr=con.by_input.ptr,
            index=con.by_input.index,
            out_ptr=con.by_output.ptr,
            out_index=con.by_output.index,
            position=con.position,
            weight=layer.values,
            state=state.weight,
            gradient=weight_gradient,
            bias=layer.bias,
            bias_state=state.bias,
            bias_gradient=bias_gradient,
            activation=cast(KernelActivation, layer.activation),
            threads=fleet.threads,
        )
    return call


def _is_plain(layer: FleetLayer) -> bool:
    con = layer.connectivity
    long = len(con.by_input.long) or len(con.by_output.long)
    return (
        isinstance(layer.activation, tuple) and not long and layer.values.flags.writeable and layer.bias.flags.writeable
    )
