"""What an agent takes on its device: memory, work, messages and energy, held against what devices have.

These are counts of a plan, made before there is a network: the whole agent with its replay memory and its hours of
load and PV, on a firmware that keeps weights in bfloat16. What the files of export.c take, which keep weights in
float32 or int8, is counted by export.budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.mlp import SparseMLP

Counts = NDArray[np.int64]

VALUE_BYTES = 2  # a weight or a bias, bfloat16
ACTIVATION_BYTES = 4  # float32
LEARNING_BYTES = 10  # per connection that learns: weight and optimizer state in bfloat16, index, gradient
REPLAY_BYTES = 1  # per number that is remembered, quantised
HISTORY_BYTES = 2  # per hour of load, and of PV
DECISIONS = 24  # a day
JOULES_PER_MULTIPLY_ADD = 1e-9
JOULES_PER_BYTE = 2e-6  # sent; a radio of 250 kbit/s that takes 60 mW


@dataclass(frozen=True)
class Device:
    """A class of hardware: what an agent may take of it.

    Args:
        name: of the class.
        ram_bytes: for the agent, of what the device has.
        flash_bytes: likewise.
        connections: most that a network may have which acts.
        learning_connections: most that all networks together may have which learn on the device; 0: it receives models.
        replay_hours: most that it may remember.
    """

    name: str
    ram_bytes: int
    flash_bytes: int
    connections: int
    learning_connections: int = 0
    replay_hours: int = 0


DEVICES = {
    "meter": Device("Cortex-M0+ with 32 kB", 8 << 10, 16 << 10, 600),
    "m4": Device("Cortex-M4 with 192 kB", 96 << 10, 128 << 10, 2000, 6000, 2048),
    "esp32": Device("ESP32 with 520 kB", 256 << 10, 512 << 10, 5000, 15000, 8760),
}


@dataclass(frozen=True)
class Learning:
    """What learning on the device adds.

    Args:
        connections: of all networks that learn, with critics and targets.
        replay_hours: how many transitions are remembered.
        updates_per_day: steps of the optimizer.
        batch_size: transitions of each.
    """

    connections: int
    replay_hours: int
    updates_per_day: float = 24.0
    batch_size: int = 64


@dataclass(frozen=True, eq=False)
class Needs:
    """What agents take, each an array (agents,).

    Args:
        connections: of the network that acts.
        ram_bytes: activations and the hours that observations look back on; with learning, all networks and the replay
            memory.
        flash_bytes: the network that acts: weights, input indices, counts per neuron, biases.
        multiply_adds_per_decision: one a connection.
        multiply_adds_per_day: of 24 decisions, and of learning: three a connection and sample.
        bytes_sent_per_day: messages.
        joules_per_day: of multiply-adds and of bytes that are sent.
        learning_connections: of all networks that learn on the device.
        replay_hours: remembered there.
    """

    connections: Counts
    ram_bytes: Counts
    flash_bytes: Counts
    multiply_adds_per_decision: Counts
    multiply_adds_per_day: NDArray[np.float64]
    bytes_sent_per_day: NDArray[np.float64]
    joules_per_day: NDArray[np.float64]
    learning_connections: int = 0
    replay_hours: int = 0

    def rows(self) -> list[dict[str, float]]:
        """The figures of each agent, by name."""
        columns = {each.name: np.asarray(getattr(self, each.name)) for each in fields(self)[:7]}
        return [
            {name: values[agent].item() for name, values in columns.items()} for agent in range(len(self.connections))
        ]

    def mean(self) -> dict[str, float]:
        """Means over agents, by name."""
        return {each.name: float(np.mean(getattr(self, each.name))) for each in fields(self)[:7]}

    def largest(self) -> dict[str, float]:
        """The largest of any agent, by name."""
        return {each.name: float(np.max(getattr(self, each.name))) for each in fields(self)[:7]}


def connections_of(network: SparseMLP | Fleet) -> Counts:
    """How many connections each agent has in each layer, (agents, layers).

    Args:
        network: one agent's, or a fleet's.

    Example:
        >>> import trulysparse as ts
        >>> connections_of(ts.Fleet(5, (24, 16, 1), density=0.5, seed=0)).shape
        (5, 2)
    """
    if isinstance(network, Fleet):
        return np.stack([np.diff(network.blocks(layer)) for layer in network.layers], axis=1).astype(np.int64)
    return np.array([[layer.n_connections for layer in network.layers]], np.int64)


def agent_needs(
    layer_sizes: Sequence[int],
    connections: ArrayLike,
    *,
    learning: Learning | None = None,
    bytes_sent_per_day: ArrayLike = 0.0,
    dense: bool = False,
    history_days: int = 1,
    n_actions: int | None = None,
) -> Needs:
    """What agents take on a device that stores their network so: two bytes a weight and a bias; the index of a
    connection's input in one byte where a layer has at most 256 inputs, else two; as many for a neuron's count.

    Args:
        layer_sizes: of the network that acts, inputs to outputs.
        connections: of each layer, (layers,), or (agents, layers), see connections_of; those of a dense network are the
            products of its layer sizes.
        learning: what is learned on the device; None: it receives models.
        bytes_sent_per_day: messages, one number or one an agent.
        dense: whether all connections exist, so that no indices are stored.
        history_days: days of load and PV that observations look back on.
        n_actions: numbers of an action, for the replay memory; None: the network's outputs.

    Returns:
        The figures.

    Raises:
        InputError: shapes that do not fit.

    Example:
        >>> needs = agent_needs((24, 16, 1), [192, 8])
        >>> needs.rows()[0]["flash_bytes"], needs.rows()[0]["multiply_adds_per_day"]
        (651, 4800.0)
        >>> agent_needs((24, 16, 1), [384, 16], dense=True).rows()[0]["flash_bytes"]
        834
    """
    sizes = [checks.integer("layer_sizes", size, low=1) for size in layer_sizes]
    counts = np.atleast_2d(np.asarray(connections, np.int64))
    if counts.ndim != 2 or counts.shape[1] != len(sizes) - 1 or (counts < 0).any():
        raise InputError(
            f"connections must be of the {len(sizes) - 1} layers, or of (agents, layers), not {counts.shape}"
        )
    history_days = checks.integer("history_days", history_days, low=1)
    flash = np.zeros(len(counts), np.int64)
    for n_in, n_out, count in zip(sizes[:-1], sizes[1:], counts.T, strict=True):
        index_bytes = 0 if dense else 1 if n_in <= 256 else 2
        flash += count * (VALUE_BYTES + index_bytes) + n_out * (VALUE_BYTES + index_bytes)
    total = counts.sum(axis=1)
    widest = max(n_in + n_out for n_in, n_out in pairwise(sizes))
    ram = np.full(len(counts), widest * ACTIVATION_BYTES + 2 * 24 * history_days * HISTORY_BYTES, np.int64)
    per_day = (total * DECISIONS).astype(np.float64)
    if learning is not None:
        transition = sizes[0] + (sizes[-1] if n_actions is None else n_actions) + 1
        ram += learning.connections * LEARNING_BYTES + learning.replay_hours * transition * REPLAY_BYTES
        per_day += 3.0 * learning.connections * learning.batch_size * learning.updates_per_day
    sent = np.array(np.broadcast_to(np.asarray(bytes_sent_per_day, np.float64), (len(counts),)))
    return Needs(
        total,
        ram,
        flash,
        total,
        per_day,
        sent,
        per_day * JOULES_PER_MULTIPLY_ADD + sent * JOULES_PER_BYTE,
        0 if learning is None else learning.connections,
        0 if learning is None else learning.replay_hours,
    )


def check_device(device: str | Device, needs: Needs) -> Device:
    """Refuses agents that do not fit a device, before anything is trained.

    Args:
        device: 'meter', 'm4', 'esp32', or one of your own.
        needs: what they take.

    Returns:
        The device.

    Raises:
        InputError: with the figure that is too large and what the device has.

    Example:
        >>> check_device("meter", agent_needs((24, 16, 1), [192, 8])).connections
        600
        >>> check_device("meter", agent_needs((24, 64, 1), [1200, 64]))
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: an agent has 1,264 connections, device Cortex-M0+ with 32 kB takes 600: ...
    """
    if isinstance(device, str):
        device = DEVICES[checks.choice("device", device, tuple(DEVICES))]
    if needs.learning_connections and not device.learning_connections:
        raise InputError(f"device {device.name} does not learn: train elsewhere and send it models")
    largest = needs.largest()
    for what, has, most in (
        ("connections", largest["connections"], device.connections),
        ("connections that learn", needs.learning_connections, device.learning_connections),
        ("hours to remember", needs.replay_hours, device.replay_hours),
        ("bytes of RAM", largest["ram_bytes"], device.ram_bytes),
        ("bytes of flash", largest["flash_bytes"], device.flash_bytes),
    ):
        if has > most:
            raise InputError(
                f"an agent has {int(has):,} {what}, device {device.name} takes {most:,}: use a lower density, fewer "
                "hidden neurons or another device"
            )
    return device
