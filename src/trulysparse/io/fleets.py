"""What files hold of a fleet: its block-diagonal layers as those of one network, the number of agents, their seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.io.model_reader import build
from trulysparse.io.model_writer import layer_tensors, settings
from trulysparse.io.tensors import Arrays, Tensor
from trulysparse.nn.activations import Activation
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.mlp import SparseMLP


def fleet_settings(fleet: Fleet) -> dict[str, Any]:
    """All of a fleet that is not in a tensor, as JSON can hold it."""
    fleet.check_layers()
    return {**settings(fleet.network), "n_agents": fleet.n_agents, "soft_updates": fleet.soft_updates}


def fleet_tensors(fleet: Fleet) -> list[Tensor]:
    """The tensors of a fleet."""
    tensors = [tensor for number in range(len(fleet.layers)) for tensor in layer_tensors(fleet.network, number)]
    return [*tensors, Tensor.of("seeds", fleet.seeds)]


def is_fleet(config: dict[str, Any]) -> bool:
    """Whether the settings of a network in a file are those of a fleet."""
    return "n_agents" in config


def build_fleet(config: dict[str, Any], file: Arrays, threads: int, activation: Activation | None = None) -> Fleet:
    """The fleet with the given settings and the tensors of a file.

    Args:
        config: see `fleet_settings`.
        file: the tensors.
        threads: of the fleet.
        activation: the user's object where the settings name an activation that is not built in.

    Raises:
        InputError: where settings and tensors do not fit each other.
    """
    n_agents = checks.integer("n_agents", config["n_agents"], low=1)
    network = build(config, file, threads, activation=activation)
    if network.skip or network.tied or network.storage_config.tiled:
        raise InputError("the networks of a fleet are indexed, without skip layers and tied ends")
    for number, size in enumerate(network.layer_sizes):
        if size % n_agents:
            raise InputError(f"layer_sizes[{number}] is {size}, which is no multiple of {n_agents} agents")
    layers = []
    for number, layer in enumerate(network.layers):
        rows = layer.connectivity.by_input
        if not _kernels.is_block_diagonal(rows.ptr, rows.index, layer.n_out, n_agents):
            raise InputError(f"layers.{number} has connections from one agent to another")
        layers.append(FleetLayer(layer.connectivity, layer.values, layer.bias, layer.activation, n_agents))
    seeds = file.array("seeds", "uint64", n_agents)
    fleet = Fleet.from_layers(layers, seeds, replace(network.settings, threads=threads))
    fleet.soft_updates = checks.integer("soft_updates", config["soft_updates"], low=0)
    return fleet


class FleetParts(Protocol):
    """What is read of a file."""

    networks: dict[str, SparseMLP | Fleet]


class FleetFile:
    """Reads files that hold a fleet alone."""

    @classmethod
    def from_parts(cls, parts: FleetParts, threads: int | None, activation: Activation | None) -> Fleet:
        """See KeptModel."""
        fleet = parts.networks.get("fleet")
        if not isinstance(fleet, Fleet):
            raise InputError("it holds no fleet")
        return fleet
