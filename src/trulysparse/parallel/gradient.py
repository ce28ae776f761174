"""The gradient that a worker sends to the server, and the part of it that is valid on an evolved topology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty, zeros
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import NewConnections, nothing
from trulysparse.parallel.compression import Packed, unpack
from trulysparse.parallel.shards import BatchId


@dataclass(eq=False)
class Gradient:
    """The gradient of the mean loss of one batch: for each layer an array along its connections (in the order of
    by_input) and one along its biases. version: of the topology it was computed on. n_updates: updates that the model
    had seen. loss: the mean over the batch's samples. weight: the sum of the samples' weights; None: their number."""

    batch_id: BatchId
    version: int
    n_updates: int
    weights: list[Packed]
    biases: list[Floats]
    loss: float
    n_samples: int
    weight: float | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(a.nbytes for a in self.weights) + sum(a.nbytes for a in self.biases)

    @property
    def total_weight(self) -> float:
        """The sum of the samples' weights, their number where they have none."""
        return float(self.n_samples if self.weight is None else self.weight)


@dataclass
class Topology:
    """The connectivity of each layer at one version. keep_masks: for each hidden layer, which of its neurons the next
    version still has; None: all."""

    version: int
    connectivity: list[Connectivity]
    keep_masks: Sequence[NDArray[np.bool_]] | None = None


def retain(gradient: Gradient, number: int, history: Sequence[Topology], threads: int) -> tuple[Floats, Floats, int]:
    """The gradient of layer `number` on the newest topology (RetainValidUpdates): values of connections that were
    removed are dropped, new connections get 0. history: the topologies from the gradient's version on; where one has
    another number of neurons and no keep mask, all of the gradient is dropped. Returns (gradient of the weights,
    gradient of the biases, number of values dropped). Source: Curci, Mocanu and Pechenizkiy (2021), algorithm 1."""
    old, new = history[0].connectivity[number], history[-1].connectivity[number]
    weight, bias = unpack(gradient.weights[number], gradient.biases[number].dtype), gradient.biases[number]
    if old is new:
        return weight, bias, 0
    coordinates: NewConnections = (old.by_input.ptr, old.by_input.index)
    for topology, following in pairwise(history):
        after = following.connectivity[number]
        inputs, outputs = _keep_masks(topology, number)
        if (int(inputs.sum()), int(outputs.sum())) != (after.n_in, after.n_out):
            return (
                zeros(new.n_connections, weight.dtype),
                zeros(new.n_out if bias.size else 0, bias.dtype),
                old.n_connections,
            )
        if topology.keep_masks is not None:
            coordinates, weight, bias = _without_neurons(inputs, outputs, coordinates, weight, bias, threads)
    out = empty(new.n_connections, weight.dtype)
    n_retained = _kernels.carry(*coordinates, weight, new.by_input.ptr, new.by_input.index, out, threads)
    return out, bias, old.n_connections - n_retained


def _keep_masks(topology: Topology, number: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which inputs and outputs of a layer the next version still has."""
    n_in, n_out = topology.connectivity[0].n_in, topology.connectivity[-1].n_out
    hidden = topology.keep_masks
    if hidden is None:
        hidden = [np.ones(con.n_out, np.bool_) for con in topology.connectivity[:-1]]
    keep_masks = [np.ones(n_in, np.bool_), *hidden, np.ones(n_out, np.bool_)]
    return keep_masks[number], keep_masks[number + 1]


def _without_neurons(
    inputs: NDArray[np.bool_],
    outputs: NDArray[np.bool_],
    coordinates: NewConnections,
    weight: Floats,
    bias: Floats,
    threads: int,
) -> tuple[NewConnections, Floats, Floats]:
    """Leaves out the neurons that were removed (False in inputs, outputs) and renumbers the others."""
    keep_mask = np.empty(len(coordinates[1]), np.uint8)
    _kernels.mark_between(*coordinates, inputs.view(np.uint8), outputs.view(np.uint8), keep_mask, threads)
    ptr, index, (weight,) = _kernels.rewire(*coordinates, keep_mask, *nothing(len(inputs)), [weight], None, threads)
    _kernels.renumber(index, (np.cumsum(outputs) - 1).astype(np.int32), threads)
    return (np.append(ptr[:-1][inputs], ptr[-1:]), index), weight, bias[outputs] if bias.size else bias
