"""Removing hidden neurons for good: their connections, biases and optimizer state go, arrays shrink.

A neuron without inputs is a constant f(bias); its effect moves into the biases of the next layer before it goes, so
that the network computes the same function to rounding. A neuron without outputs goes without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity, Rows
from trulysparse.connectivity.coordinates import nothing
from trulysparse.nn import activations
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import OptimizerState

Marks = NDArray[np.bool_]
"""One mark a neuron: True stays."""


def remove_neurons(
    net: SparseMLP, optimizer_state: Sequence[OptimizerState] | None = None, stays: Sequence[Marks] | None = None
) -> list[Marks]:
    """Removes hidden neurons: those not marked in stays[l] (l = 0: the first hidden layer), which lose their inputs and
    so become constants; then all without inputs and all without outputs, until there are none. Input and output neurons
    stay, and one neuron a hidden layer. Returns marks of the hidden neurons that stayed.

    Where stays is None the network's function stays the same to rounding; else it is that of the network without the
    inputs of the unmarked neurons. optimizer_state: optimizer state to bring along. Linear in connections; each layer's
    connections are made anew once.
    """
    layers, threads = net.layers, net.threads
    alive = _fold_constants(net, [np.ones(n, np.bool_) for n in net.layer_sizes[1:-1]] if stays is None else stays)
    for number in reversed(range(len(alive))):  # neurons nobody hears, from the last layer down
        following = layers[number + 1]
        heard = alive[number + 1] if number + 1 < len(alive) else np.ones(following.n_out, np.bool_)
        alive[number] &= _count(following.connectivity.by_input, heard, threads) > 0
    return alive if all(marks.all() for marks in alive) else _shrink(net, optimizer_state, alive)


def _fold_constants(net: SparseMLP, stays: Sequence[Marks]) -> list[Marks]:
    """Moves the effect of constant neurons into the next biases, from the first layer up; returns marks of the
    others."""
    alive: list[Marks] = []
    inputs = np.ones(net.layer_sizes[0], np.bool_)
    # Unmarked neurons have lost the connections by which a constant would reach them.
    hears = [*stays[1:], np.ones(net.layer_sizes[-1], np.bool_)]
    for layer, following, marks, hearing in zip(net.layers, net.layers[1:], stays, hears, strict=False):
        constant = ~marks | (_count(layer.connectivity.by_output, inputs, net.threads) == 0)
        if constant.any():
            value = np.zeros(layer.n_out)
            value[constant] = activations.apply(layer.activation, layer.bias[constant].astype(np.float64))
            rows = following.connectivity.by_input
            deaf = following.bias[~hearing]
            following.bias = following.bias.copy()  # others may be reading the old one
            _kernels.fold_constants(rows.ptr, rows.index, following.values, value, following.bias)
            following.bias[~hearing] = deaf
        inputs = ~constant
        alive.append(inputs.copy())
    return alive


def _count(rows: Rows, marked: Marks, threads: int) -> NDArray[np.int64]:
    """How many of each row's connections lead to a marked neuron."""
    count = np.empty(len(rows.ptr) - 1, np.int64)
    _kernels.count_marked(rows.ptr, rows.index, marked.view(np.uint8), count, threads)
    return count


def _shrink(net: SparseMLP, optimizer_state: Sequence[OptimizerState] | None, alive: Sequence[Marks]) -> list[Marks]:
    """Drops the unmarked neurons with all their connections. Of a layer without marks the first neuron stays,
    unconnected. Returns marks of those that stayed."""
    all_in, all_out = np.ones(net.layer_sizes[0], np.bool_), np.ones(net.layer_sizes[-1], np.bool_)
    connected = [all_in, *alive, all_out]
    stays = [marks if marks.any() else np.arange(len(marks)) == 0 for marks in connected]
    for number, layer in enumerate(net.layers):
        if connected[number].all() and connected[number + 1].all():
            continue
        state = OptimizerState([], []) if optimizer_state is None else optimizer_state[number]
        rows = layer.connectivity.by_input
        layer.connectivity.release_outputs()
        keep = np.empty(layer.n_connections, np.uint8)
        ends = connected[number].view(np.uint8), connected[number + 1].view(np.uint8)
        _kernels.mark_between(rows.ptr, rows.index, *ends, keep, net.threads)
        ptr, index, moved = _kernels.rewire(
            rows.ptr, rows.index, keep, *nothing(layer.n_in), [layer.values, *state.weight], None, net.threads
        )
        layer.values, state.weight[:] = moved[0], moved[1:]
        del keep, moved
        inputs, outputs = stays[number], stays[number + 1]
        layer.bias = layer.bias[outputs]
        state.bias[:] = [slot[outputs] for slot in state.bias]
        ptr = np.append(ptr[:-1][inputs], ptr[-1:])  # the rows that go are empty now
        _kernels.renumber(index, (np.cumsum(outputs) - 1).astype(np.int32), net.threads)
        n_in, n_out = int(np.count_nonzero(inputs)), int(np.count_nonzero(outputs))
        layer.connectivity = Connectivity.trusted(n_in, n_out, ptr, index, net.threads)
    net.layer_sizes = (net.layer_sizes[0], *(layer.n_out for layer in net.layers))
    return stays[1:-1]


def incoming(layer: IndexedLayer, threads: int) -> NDArray[np.float64]:
    """The importance of each output neuron: the sum of its |incoming weights|, (n_out,)."""
    con, out = layer.connectivity, np.empty(layer.n_out)
    _kernels.strength(con.by_output.ptr, con.by_output.index, con.position, layer.values, out, threads)
    return out


def outgoing(layer: IndexedLayer, threads: int) -> NDArray[np.float64]:
    """The sum of each input neuron's |outgoing weights|, (n_in,)."""
    con, out = layer.connectivity, np.empty(layer.n_in)
    _kernels.strength(con.by_input.ptr, con.by_input.index, None, layer.values, out, threads)
    return out


def scores(net: SparseMLP, score: str, activity: Sequence[Floats] | None = None) -> list[NDArray[np.float64]]:
    """One value a neuron for each hidden layer. score: 'incoming' (sum of |incoming weights|), 'both' (that times the
    sum of |outgoing weights|) or 'activation' (outgoing times the mean |activation| in `activity`)."""
    found = []
    for number, layer in enumerate(net.layers[:-1]):
        if score == "incoming":
            found.append(incoming(layer, net.threads))
            continue
        out = outgoing(net.layers[number + 1], net.threads)
        if score == "both":
            found.append(out * incoming(layer, net.threads))
        else:
            assert activity is not None
            found.append(out * activity[number])
    return found
