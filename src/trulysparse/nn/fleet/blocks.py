"""Layers of several networks put side by side, and blocks of such a layer taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.indexed import check_size
from trulysparse.errors import InputError
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.layers.indexed import IndexedLayer


def side_by_side(layers: Sequence[IndexedLayer], agents: Sequence[int], threads: int) -> FleetLayer:
    """One layer that consists of others, block by block.

    Args:
        layers: at least one, whose blocks have the same sizes and the same activation; their arrays are copied.
        agents: how many networks each layer is of.
        threads: at least 1.

    Returns:
        The layer of all of them, in their order.
    """
    n_in, n_out = sum(layer.n_in for layer in layers), sum(layer.n_out for layer in layers)
    check_size(n_in, n_out, sum(layer.n_connections for layer in layers))
    lengths = np.concatenate([np.diff(layer.connectivity.by_input.ptr) for layer in layers])
    index = np.concatenate([layer.connectivity.by_input.index for layer in layers])
    outputs = [layer.n_out for layer in layers]
    offset = np.cumsum([0, *outputs[:-1]]).astype(np.int32)
    index += np.repeat(offset, [layer.n_connections for layer in layers])
    con = Connectivity.trusted(n_in, n_out, _pointers(lengths), index, threads)
    return FleetLayer(
        con,
        _joined([layer.values for layer in layers]),
        _joined([layer.bias for layer in layers]),
        layers[0].activation,
        int(sum(agents)),
    )


def taken(layer: FleetLayer, agents: NDArray[np.int64], threads: int) -> FleetLayer:
    """A layer of some of a layer's blocks, copied.

    Args:
        layer: the layer.
        agents: which blocks, in the order wanted, at least one; a number may come more than once.
        threads: at least 1.

    Returns:
        The layer.

    Raises:
        InputError: where connections lead from one of the blocks to another.
    """
    rows, outputs = layer.n_in // layer.n_agents, layer.n_out // layer.n_agents
    inputs, blocks = layer.connectivity.by_input, layer.blocks
    counts = np.diff(blocks)[agents]
    check_size(rows * len(agents), outputs * len(agents), int(counts.sum()))
    lengths = np.diff(inputs.ptr).reshape(-1, rows)[agents].ravel()
    # Connection k of the new layer is number k + shift of the old one.
    starts = np.cumsum(counts) - counts
    source = np.repeat(blocks[agents] - starts, counts)
    source += np.arange(len(source))
    offset = ((np.arange(len(agents)) - agents) * outputs).astype(np.int32)
    index = inputs.index[source]
    index += np.repeat(offset, counts)
    ptr = _pointers(lengths)
    if not _kernels.is_block_diagonal(ptr, index, outputs * len(agents), len(agents)):
        raise InputError("a layer has connections from one agent to another")
    con = Connectivity.trusted(rows * len(agents), outputs * len(agents), ptr, index, threads)
    values = empty(len(source), layer.values.dtype)
    np.take(layer.values, source, out=values, mode="clip")  # "clip": without a buffer; all of them are in range
    bias = layer.bias.reshape(layer.n_agents, -1)[agents].ravel()
    return FleetLayer(con, values, bias, layer.activation, len(agents))


def block(layer: FleetLayer, agent: int, threads: int) -> tuple[Connectivity, Floats, Floats]:
    """Connections, weights and biases of one block, copied."""
    found = taken(layer, np.array([agent]), threads)
    return found.connectivity, found.values, found.bias


def _pointers(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    ptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ptr[1:])
    return ptr


def _joined(arrays: Sequence[Floats]) -> Floats:
    out: Any = empty(sum(len(array) for array in arrays), arrays[0].dtype)
    np.concatenate(arrays, out=out)
    return out  # type: ignore[no-any-return]
