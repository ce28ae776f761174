"""Removing hidden neurons for good: their connections, biases and optimizer state go, arrays shrink.

A neuron without inputs is a constant f(bias); its effect moves into the biases of the next layer before it goes, so
that the network computes the same function to rounding. A neuron without outputs goes without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels, activations
from trulysparse._arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.evolution.rewire import Change, rewire
from trulysparse.layers import Slots, SparseLayer
from trulysparse.network import SparseMLP

Marks = NDArray[np.bool_]
"""One mark a neuron: True stays."""


def disconnect(net: SparseMLP, slots: Sequence[Slots] | None, stays: Sequence[Marks]) -> None:
    """Removes all incoming connections of the hidden neurons not marked in stays[l], l = 0 for the first hidden
    layer. What remains of them are constants: see remove_idle."""
    for number, marks in enumerate(stays):
        if not marks.all():
            layer = net.layers[number]
            _cut(layer, _slots(slots, number), np.ones(layer.n_in, np.bool_), marks, net.threads)


def remove_idle(net: SparseMLP, slots: Sequence[Slots] | None = None) -> int:
    """Removes hidden neurons without inputs (their constant moves into the next layer's biases) and those without
    outputs, until there are none; input and output neurons stay, and one neuron a hidden layer. Returns how many went.
    The network's function stays the same to rounding. Linear in connections."""
    layers = net.layers
    stays = [np.ones(layer.n_out, np.bool_) for layer in layers[:-1]]
    for number, (layer, following) in enumerate(pairwise(layers)):
        constant = np.diff(layer.connectivity.by_output.ptr) == 0
        if not constant.any():
            continue
        value = np.zeros(layer.n_out)
        value[constant] = activations.apply(layer.activation, layer.bias[constant].astype(np.float64))
        rows = following.connectivity.by_input
        _kernels.fold_constants(rows.ptr, rows.index, following.values, value, following.bias)
        _cut(following, _slots(slots, number + 1), ~constant, np.ones(following.n_out, np.bool_), net.threads)
        stays[number] &= ~constant
    for number in reversed(range(len(layers) - 1)):
        unheard = np.diff(layers[number + 1].connectivity.by_input.ptr) == 0
        if (unheard & stays[number]).any():
            _cut(layers[number], _slots(slots, number), np.ones(layers[number].n_in, np.bool_), ~unheard, net.threads)
        stays[number] &= ~unheard
    for marks in stays:
        if not marks.any():
            marks[0] = True
    _shrink(net, slots, stays)
    return sum(int(np.count_nonzero(~marks)) for marks in stays)


def _slots(slots: Sequence[Slots] | None, number: int) -> Slots:
    return Slots([], []) if slots is None else slots[number]


def _cut(layer: SparseLayer, slots: Slots, inputs: Marks, outputs: Marks, threads: int) -> None:
    """Removes the connections from and to neurons that are not marked; the neurons stay."""
    rows = layer.connectivity.by_input
    keep = np.empty(layer.n_connections, np.uint8)
    _kernels.mark_between(rows.ptr, rows.index, inputs.view(np.uint8), outputs.view(np.uint8), keep, threads)
    rewire(layer, slots, Change(keep), threads)


def _shrink(net: SparseMLP, slots: Sequence[Slots] | None, stays: Sequence[Marks]) -> None:
    """Drops the unmarked neurons, which have no connections."""
    all_in, all_out = np.ones(net.layer_sizes[0], np.bool_), np.ones(net.layer_sizes[-1], np.bool_)
    for number, layer in enumerate(net.layers):
        inputs = stays[number - 1] if number else all_in
        outputs = stays[number] if number < len(stays) else all_out
        if inputs.all() and outputs.all():
            continue
        layer.connectivity = _renumbered(layer.connectivity, inputs, outputs, net.threads)
        layer.bias = layer.bias[outputs]
        state = _slots(slots, number)
        state.bias[:] = [slot[outputs] for slot in state.bias]
    net.layer_sizes = (net.layer_sizes[0], *(layer.n_out for layer in net.layers))


def _renumbered(con: Connectivity, inputs: Marks, outputs: Marks, threads: int) -> Connectivity:
    rows = con.by_input
    ptr = np.append(rows.ptr[:-1][inputs], rows.ptr[-1:])
    index = rows.index.copy()
    _kernels.renumber(index, (np.cumsum(outputs) - 1).astype(np.int32), threads)
    n_in, n_out = int(np.count_nonzero(inputs)), int(np.count_nonzero(outputs))
    return Connectivity.from_inputs(n_in, n_out, ptr, index, threads)


def incoming(layer: SparseLayer, threads: int) -> NDArray[np.float64]:
    """The importance of each output neuron: the sum of its |incoming weights|, (n_out,)."""
    con, out = layer.connectivity, np.empty(layer.n_out)
    _kernels.strength(con.by_output.ptr, con.by_output.index, con.position, layer.values, out, threads)
    return out


def outgoing(layer: SparseLayer, threads: int) -> NDArray[np.float64]:
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
