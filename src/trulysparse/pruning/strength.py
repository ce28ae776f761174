"""How strongly neurons are connected, and the importance of hidden neurons that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP

SCORES = ("incoming", "both", "activation")
"""Measures of importance, see `importance`."""


def incoming_strength(layer: IndexedLayer, threads: int) -> NDArray[np.float64]:
    """The sum of the |incoming weights| of each output neuron, (n_out,). For hidden neurons: their importance."""
    con, strength = layer.connectivity, np.empty(layer.n_out)
    _kernels.strength(con.by_output.ptr, con.by_output.index, con.position, layer.values, strength, threads)
    return strength


def outgoing_strength(layer: IndexedLayer, threads: int) -> NDArray[np.float64]:
    """The sum of the |outgoing weights| of each input neuron, (n_in,). In the first layer: the strength of each input
    feature."""
    con, strength = layer.connectivity, np.empty(layer.n_in)
    _kernels.strength(con.by_input.ptr, con.by_input.index, None, layer.values, strength, threads)
    return strength


def input_strength(net: SparseMLP) -> NDArray[np.float64]:
    """The sum of the |outgoing weights| of each of a network's inputs, (n_inputs,), those of a skip layer too."""
    strength = outgoing_strength(net.layers[0], net.threads)
    return strength + outgoing_strength(net.skip_layer, net.threads) if net.skip else strength


def mean_activation(net: SparseMLP, X: Any, batch_size: int = 256) -> list[Floats]:
    """The mean |activation| of each hidden neuron on the samples X: one array per hidden layer."""
    totals = [np.zeros(n) for n in net.layer_sizes[1:-1]]
    matrix = net.matrix(X)
    for samples, hidden in net.hidden_batches(matrix, batch_size):
        width = samples.stop - samples.start
        for number, values in enumerate(hidden):
            totals[number] += np.abs(values[:, :width]).sum(axis=1)
    return [total / matrix.n_samples for total in totals]


def importance(net: SparseMLP, score: str, activity: Sequence[Floats] | None = None) -> list[NDArray[np.float64]]:
    """The importance of each hidden neuron: one array per hidden layer. score: 'incoming' (incoming strength), 'both'
    (incoming times outgoing strength) or 'activation' (outgoing strength times the mean |activation| in `activity`)."""
    values = []
    for number, layer in enumerate(net.chain[:-1]):
        if score == "incoming":
            values.append(incoming_strength(layer, net.threads))
            continue
        outgoing = outgoing_strength(net.layers[number + 1], net.threads)
        if score == "both":
            values.append(outgoing * incoming_strength(layer, net.threads))
        else:
            assert activity is not None
            values.append(outgoing * activity[number])
    return values
