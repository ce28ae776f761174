"""Agents of a fleet exchange their models: each connection is averaged over those that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.fleet.messages import VALUE_BYTES, index_bytes_of
from trulysparse.nn.fleet.messages import message_bytes as message_bytes  # noqa: PLC0414  # what an exchange counts
from trulysparse.nn.fleet.neighbours import checked_neighbours, groups_of
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.optim import OptimizerState

SENT = {"exact": 0, "float32": 1, "bfloat16": 2}
"""How values are rounded when they are sent, as the kernels call it."""
TOPOLOGIES = ("union", "own")


@dataclass(frozen=True)
class Exchange:
    """What an exchange moved.

    Args:
        bytes_sent: of each agent, (N,) int64: its message, as often as there are agents that take it.
        bytes_received: of each agent, (N,) int64.
        new_connections: of each agent, (N,) int64: those that it has now and had not before.
    """

    bytes_sent: NDArray[np.int64]
    bytes_received: NDArray[np.int64]
    new_connections: NDArray[np.int64]


def average_over_owners(
    fleet: Fleet,
    neighbours: ArrayLike | str,
    weights: ArrayLike | None = None,
    *,
    topology: str = "union",
    values: str = "bfloat16",
    optimizer_state: OptimizerState | Sequence[OptimizerState] | None = None,
    threads: int | None = None,
) -> Exchange:
    """Each agent averages its network with those of its neighbours, all of them in one call of the kernels per layer.

    With G the agent and its neighbours, a connection that k of them own becomes w = sum_k n_k w_k / sum_k n_k over
    these owners alone: one that others lack is not drawn towards zero. Of the union of their connections each agent
    keeps, layer by layer, as many as it had, the largest in magnitude (of equal ones the later by input and output).
    Biases are averaged over all of G.

    Neighbours' values arrive as they are sent, rounded to `values`; an agent's own enter as they are. Connections that
    an agent keeps keep their optimizer state; that of new ones is 0, and that of biases stays. Layers get new arrays;
    targets follow by `take_topology`.

    Args:
        fleet: changed in place.
        neighbours: (N, k) numbers of agents, from whom each gets a model; -1 for none, no agent twice or itself. Or
            'all': everybody, whose average is computed once. See `ring_neighbours` and `random_neighbours`.
        weights: n_k of each agent, such as its number of samples, (N,) numbers above 0, known to all; None: 1.
        topology: 'union', as above, or 'own': each agent keeps the connections that it has, and only their weights are
            averaged.
        values: 'bfloat16' or 'float32', as which weights and biases are sent, rounded to the nearest.
        optimizer_state: of each layer; it moves along with the connections. None: there is none.
        threads: at least 1; None: those of the fleet. The same bits for any number.

    Returns:
        What was sent and what is new. A message has 2 bytes for the place of a connection, 4 where the network of an
        agent has more than 65,536 places, and 2 or 4 for each value; see `messages.encode_model`.

    Raises:
        InputError: where an argument does not fit, or an agent's weights are not finite. Nothing has changed then.
        NotEnoughMemoryError: where the new layers would not fit into memory beside the old ones.

    Source:
        Bibikar et al., "Federated dynamic sparse training" (FedDST), AAAI 2022, algorithm 1, with neighbours in place
        of a server; Dai et al., "DisPFL", ICML 2022, eq. 3, for topology='own'.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.fleet.exchange import average_over_owners
        >>> from trulysparse.nn.fleet.neighbours import random_neighbours
        >>> fleet = ts.Fleet(100, (24, 32, 2), density=0.3, output="identity", seed=0)
        >>> done = average_over_owners(fleet, random_neighbours(100, 3, seed=1))
        >>> fleet.connections_per_agent.tolist() == [250] * 100, done.bytes_sent.tolist() == [3 * 1068] * 100
        (True, True)
    """
    if not isinstance(fleet, Fleet):
        raise InputError(f"fleet must be a Fleet, not {type(fleet).__name__}")
    fleet.check_layers()
    checks.choice("topology", topology, TOPOLOGIES)
    checks.choice("values", values, tuple(VALUE_BYTES))
    threads = checks.thread_count(fleet.threads if threads is None else threads)
    found = checked_neighbours(neighbours, fleet.n_agents)
    group_ptr, group = (None, None) if found is None else groups_of(found)
    n_k = _checked_weights(weights, fleet.n_agents)
    states = _checked_states(fleet, optimizer_state)
    message = message_bytes(fleet, index_bytes_of(fleet), VALUE_BYTES[values])
    sent = SENT[values if fleet.dtype.itemsize > VALUE_BYTES[values] else "exact"]
    memory.require(
        sum(_bytes_of(layer, len(state)) for layer, state in zip(fleet.layers, states, strict=True)),
        f"the new layers of {fleet.n_agents} agents, beside those that they have",
        "free other memory, or let fleets of fewer agents exchange",
    )
    changes = []
    for number, (layer, state) in enumerate(zip(fleet.layers, states, strict=True)):
        rows = layer.connectivity.by_input
        blocks, bias = _kernels.fleet_average(
            rows.ptr,
            rows.index,
            fleet.n_agents,
            layer.n_out // fleet.n_agents,
            [layer.values, *state],
            layer.bias if layer.bias.size else None,
            group_ptr,
            group,
            n_k,
            sent,
            topology == "own",
            threads,
        )
        if blocks[5] >= 0:
            reason = "connections outside its block" if blocks[6] else "weights or biases that are not finite"
            raise InputError(f"fleet cannot be averaged: agent {blocks[5]} has {reason} in layer {number}")
        changes.append((blocks, bias))
    new = np.zeros(fleet.n_agents, np.int64)
    for layer, state, (blocks, bias) in zip(fleet.layers, states, changes, strict=True):
        ptr, index, outputs, arrays, grown = blocks[:5]
        if layer.bias.size:
            layer.bias = bias
        layer.values = arrays[0]
        if topology == "union" and grown.any():
            layer.connectivity = Connectivity.trusted(layer.n_in, layer.n_out, ptr, index, threads, outputs)
            state[:] = arrays[1:]
            new += grown
    return Exchange(*_traffic(found, message), new)


def _traffic(
    neighbours: NDArray[np.int64] | None, message: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bytes that each agent sends and receives. neighbours: None: all."""
    if neighbours is None:
        return message * (len(message) - 1), message.sum() - message
    there = neighbours >= 0
    takers = np.bincount(neighbours[there], minlength=len(message))
    return message * takers, np.where(there, message[neighbours], 0).sum(axis=1)


def _bytes_of(layer: FleetLayer, n_slots: int) -> int:
    """Of a new layer: both indices and positions, weights, optimizer state, biases."""
    size = layer.values.itemsize
    return layer.n_connections * (12 + size * (1 + n_slots)) + (layer.n_in + layer.n_out) * 8 + layer.n_out * size


def _checked_weights(weights: ArrayLike | None, n_agents: int) -> NDArray[np.float64]:
    """n_k of each agent, or InputError."""
    if weights is None:
        return np.ones(n_agents)
    try:
        given = np.ascontiguousarray(weights, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"weights must be {n_agents} numbers above 0, not {weights!r:.80}") from None
    if given.shape != (n_agents,) or not (np.isfinite(given) & (given > 0)).all():
        raise InputError(f"weights must be {n_agents} numbers above 0, one for each agent, not {weights!r:.80}")
    return given


def _checked_states(fleet: Fleet, states: Any) -> list[list[Floats]]:
    """The arrays of optimizer state along each layer's connections, in which they are replaced, or InputError."""
    if states is None:
        return [[] for _ in fleet.layers]
    every = [states] if isinstance(states, OptimizerState) else checks.listed("optimizer_state", states, "states")
    if len(every) != len(fleet.layers):
        raise InputError(f"optimizer_state must be of each of the {len(fleet.layers)} layers, not of {len(every)}")
    for number, (layer, state) in enumerate(zip(fleet.layers, every, strict=True)):
        if not isinstance(state, OptimizerState) or any(a.shape != (layer.n_connections,) for a in state.weight):
            raise InputError(f"optimizer_state[{number}] must hold values along {layer.n_connections} connections")
    return [state.weight for state in every]
