"""Neurons that do nothing, or the same as another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity import Connectivity
from trulysparse.nn.mlp import SparseMLP


def dead_neurons(net: SparseMLP, X: Any = None) -> list[NDArray[np.bool_]]:
    """Marks for each hidden layer: neurons without inputs or without outputs and, where samples X are given, those
    whose activation is 0 on all of them."""
    marks = []
    for layer, following in zip(net.layers, net.layers[1:], strict=False):
        alone = np.diff(layer.connectivity.by_output.ptr) == 0
        marks.append(alone | (np.diff(following.connectivity.by_input.ptr) == 0))
    if X is not None:
        active = [np.zeros(n, np.bool_) for n in net.layer_sizes[1:-1]]
        for samples, hidden in net.hidden_batches(X):
            for number, values in enumerate(hidden):
                active[number] |= (values[:, : samples.stop - samples.start] != 0).any(axis=1)
        marks = [dead | ~alive for dead, alive in zip(marks, active, strict=True)]
    return marks


def duplicate_neurons(con: Connectivity) -> NDArray[np.int64]:
    """For each output neuron of a layer the first one with the same set of inputs (itself, where there is none before
    it), by 128-bit hashes of the sets. Neurons without inputs all count as the same."""
    with np.errstate(over="ignore"):
        keys = (con.indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        hashes = []
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
            sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(keys, dtype=np.uint64)])
            hashes.append(sums[con.indptr[1:]] - sums[con.indptr[:-1]])
    pairs = np.stack(hashes, axis=1)
    _, first, which = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = first[which.ravel()]
    return found
