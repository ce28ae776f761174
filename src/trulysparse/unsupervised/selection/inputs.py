"""Input neurons that come and go: the first layer shrinks to those that remain, and others are taken in again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, empty
from trulysparse.connectivity import Connectivity
from trulysparse.data import Matrix, Scaling
from trulysparse.evolution import LayerView
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.skip import sizes_of
from trulysparse.optim import OptimizerState
from trulysparse.unsupervised.selection.features import SelectedFeatures, scaling_of

_BLOCK_BYTES = 64 << 20
_LEAST_BLOCK = 1024


@dataclass(frozen=True)
class Total:
    """A Budget: as many connections grow as make a layer's number `connections`, or all where it has not that many.

    Args:
        connections: of each layer.
    """

    connections: int

    def __call__(self, views: Sequence[LayerView]) -> list[int]:
        """How many connections each layer grows."""
        return [
            max(0, min(self.connections, view.layer.n_in * view.layer.n_out) - view.layer.n_connections + view.removed)
            for view in views
        ]


def replace_inputs(net: SparseMLP, state: OptimizerState, features: NDArray[np.int64], new: NDArray[np.int64]) -> None:
    """Gives a network other input neurons. Those that stay keep connections, weights and optimizer state; those that go
    leave nothing behind; those that come have no connections yet.

    Args:
        net: the network, without a skip layer.
        state: optimizer state of the first layer; it is changed in place.
        features: numbers of the features that the inputs stand for, rising.
        new: those that they are to stand for, rising.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.unsupervised.selection.inputs import replace_inputs
        >>> net = ts.SparseMLP.from_matrices([[[1.0, 2.0, 0.0], [0.0, 3.0, 4.0]], [[1.0, 1.0]]])
        >>> state = net.layers[0].new_state(ts.SGD())
        >>> replace_inputs(net, state, np.array([0, 5, 7]), np.array([5, 6]))
        >>> net.layer_sizes, net.layers[0].weight.toarray().tolist()
        ((2, 2, 1), [[2.0, 0.0], [3.0, 0.0]])
    """
    layer = net.layers[0]
    rows = layer.connectivity.by_input
    stays = np.isin(features, new, assume_unique=True)
    counts = np.diff(rows.ptr)
    kept = np.repeat(stays, counts)
    ptr = np.zeros(len(new) + 1, np.int64)
    ptr[1 + np.searchsorted(new, features[stays])] = counts[stays]
    np.cumsum(ptr, out=ptr)
    index = rows.index[kept]
    layer.connectivity.release_outputs()
    layer.values = layer.values[kept]
    state.weight[:] = [slot[kept] for slot in state.weight]
    layer.connectivity = Connectivity.trusted(len(new), layer.n_out, ptr, index, net.threads)
    net.layer_sizes = sizes_of(net.chain)


def load_features(
    matrix: Matrix, features: NDArray[np.int64], rows: NDArray[np.int64], scaling: Scaling, like: Floats, threads: int
) -> Floats:
    """Some features of some samples, scaled.

    Args:
        matrix: all features.
        features: numbers of those wanted.
        rows: numbers of the samples, rising.
        scaling: of all features.
        like: an array of the type and number of columns wanted.
        threads: at least 1.

    Returns:
        (features, columns); columns beyond the samples are 0.
    """
    x = empty(len(features) * like.shape[1], like.dtype).reshape(len(features), like.shape[1])
    selected = SelectedFeatures(matrix, features)
    with selected.reader(rows) as reader:
        reader.load(rows, x, scaling_of(scaling, features), threads)
    return x


def steepest_features(
    matrix: Matrix,
    features: NDArray[np.int64],
    rows: NDArray[np.int64],
    scaling: Scaling,
    dy: Floats,
    count: int,
    threads: int,
) -> NDArray[np.int64]:
    """The features of which a connection into the first layer would have the largest |loss gradient|.

    Features are taken in blocks, and of each block's gradients only the largest are kept: no array of features x
    neurons is made. The choice is that of all gradients.

    Args:
        matrix: all features.
        features: numbers of those to choose from.
        rows: numbers of the samples that dy belongs to.
        scaling: of all features.
        dy: the loss gradient at the first layer's pre-activation, (n_neurons, columns).
        count: how many to choose, at most as many as there are.
        threads: at least 1.

    Returns:
        (count,) numbers of features, rising; of equal gradients the first.
    """
    size = max(_LEAST_BLOCK, _BLOCK_BYTES // (dy.shape[1] * dy.itemsize))
    best, steepness = np.empty(0, np.int64), np.empty(0)
    for start in range(0, len(features), size):
        block = features[start : start + size]
        chosen, values = _steepest(load_features(matrix, block, rows, scaling, dy, threads), dy, count, threads)
        best, steepness = np.append(best, block[chosen]), np.append(steepness, values)
        order = np.lexsort((best, -steepness))[:count]
        best, steepness = best[order], steepness[order]
    return np.sort(best)


def _steepest(x: Floats, dy: Floats, count: int, threads: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At least `count` rows of x (all where there are fewer), those with the largest of their |gradients| among them,
    and that gradient."""
    most, wanted = len(x) * len(dy), min(count, len(x))
    ptr, index = np.zeros(len(x) + 1, np.int64), np.empty(0, np.int32)
    largest = min(most, 4 * wanted)
    while True:
        found = _kernels.grow_by_gradient(ptr, index, None, x, dy, largest, threads)
        rows = np.flatnonzero(np.diff(found[0]))
        if len(rows) >= wanted or largest == most:
            break
        largest = min(most, 4 * largest)
    gradient = np.empty(len(found[1]), x.dtype)
    _kernels.gradient_at(*found, x, dy, gradient, threads)
    return rows, np.maximum.reduceat(np.abs(gradient), found[0][rows]).astype(np.float64)
