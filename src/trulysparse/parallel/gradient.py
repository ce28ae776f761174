"""What travels from a worker to the server, and what of it an evolved topology still has a use for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty, zeros
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import NewConnections, nothing
from trulysparse.parallel.compression import Packed, unpack
from trulysparse.parallel.shards import BatchId

Marks: TypeAlias = NDArray[np.bool_]
"""One mark a neuron: True stays."""


@dataclass(eq=False)
class Gradient:
    """The gradient of one batch: for each layer an array along its connections (in the order of by_input) and one along
    its biases. version: of the topology it was computed on. n_updates: updates the model had seen. loss: the mean over the
    batch's samples, whose weight in all is `weight` (None: their number)."""

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


@dataclass
class Topology:
    """The connectivity of each layer at one version. stays: marks of the hidden layers' neurons that the next version
    still has; None: all."""

    version: int
    connectivity: list[Connectivity]
    stays: Sequence[Marks] | None = None


def retain(gradient: Gradient, number: int, history: Sequence[Topology], threads: int) -> tuple[Floats, Floats, int]:
    """One layer's gradient on the newest topology (RetainValidUpdates): values of connections that are gone are
    dropped, new connections get 0. history: the topologies from the gradient's version on; where one has another number
    of neurons and nothing says which went, nothing of the gradient is kept. Returns (along connections, along biases,
    values dropped)."""
    old, new = history[0].connectivity[number], history[-1].connectivity[number]
    weight, bias = unpack(gradient.weights[number], gradient.biases[number].dtype), gradient.biases[number]
    if old is new:
        return weight, bias, 0
    places: NewConnections = (old.by_input.ptr, old.by_input.index)
    for topology, following in pairwise(history):
        after = following.connectivity[number]
        inputs, outputs = _staying(topology, number)
        if (int(inputs.sum()), int(outputs.sum())) != (after.n_in, after.n_out):
            return zeros(new.n_connections, weight.dtype), zeros(new.n_out, bias.dtype), old.n_connections
        if topology.stays is not None:
            places, weight, bias = _without(inputs, outputs, places, weight, bias, threads)
    out = empty(new.n_connections, weight.dtype)
    found = _kernels.carry(*places, weight, new.by_input.ptr, new.by_input.index, out, threads)
    return out, bias, old.n_connections - found


def _staying(topology: Topology, number: int) -> tuple[Marks, Marks]:
    """Marks of a layer's inputs and outputs that the next version still has."""
    n_in, n_out = topology.connectivity[0].n_in, topology.connectivity[-1].n_out
    hidden = topology.stays
    if hidden is None:
        hidden = [np.ones(con.n_out, np.bool_) for con in topology.connectivity[:-1]]
    marks = [np.ones(n_in, np.bool_), *hidden, np.ones(n_out, np.bool_)]
    return marks[number], marks[number + 1]


def _without(
    inputs: Marks, outputs: Marks, places: NewConnections, weight: Floats, bias: Floats, threads: int
) -> tuple[NewConnections, Floats, Floats]:
    """Leaves out neurons that went and numbers the others anew."""
    keep = np.empty(len(places[1]), np.uint8)
    _kernels.mark_between(*places, inputs.view(np.uint8), outputs.view(np.uint8), keep, threads)
    ptr, index, (weight,) = _kernels.rewire(*places, keep, *nothing(len(inputs)), [weight], None, threads)
    _kernels.renumber(index, (np.cumsum(outputs) - 1).astype(np.int32), threads)
    return (np.append(ptr[:-1][inputs], ptr[-1:]), index), weight, bias[outputs]
