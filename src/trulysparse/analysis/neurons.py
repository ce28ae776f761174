"""Neurons that have no effect, or the same inputs as another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.analysis.paths import reached_neurons, reaching_neurons
from trulysparse.connectivity import Connectivity
from trulysparse.nn.mlp import SparseMLP


def dead_neurons(net: SparseMLP, X: Any = None) -> list[NDArray[np.bool_]]:
    """The hidden neurons on no path from an input to an output and, where samples are given, those whose activation is
    0 on all of them.

    Time linear in connections. `prune_neurons(net, percentile=0)` removes the former; the network computes the same.

    Args:
        net: the network, with storage='indexed'.
        X: samples (n_samples, n_inputs), or None.

    Returns:
        For each hidden layer one mark per neuron, True where it is dead.

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> first, second = sp.csr_array([[1.0, 1.0], [0.0, 0.0]]), sp.csr_array([[1.0, 1.0]])
        >>> analysis.dead_neurons(ts.SparseMLP.from_matrices([first, second]))
        [array([False,  True])]
    """
    ends = zip(reached_neurons(net), reaching_neurons(net), strict=True)
    masks = [~(reached & reaching) for reached, reaching in ends][1:-1]
    if X is not None:
        active = [np.zeros(n, np.bool_) for n in net.layer_sizes[1:-1]]
        for samples, hidden in net.hidden_batches(X):
            for number, values in enumerate(hidden):
                active[number] |= (values[:, : samples.stop - samples.start] != 0).any(axis=1)
        masks = [dead | ~is_active for dead, is_active in zip(masks, active, strict=True)]
    return masks


def duplicate_neurons(con: Connectivity) -> NDArray[np.int64]:
    """For each output neuron of a layer the first one with the same set of inputs, by 128-bit hashes of the sets.

    Args:
        con: the layer's connectivity.

    Returns:
        int64 (n_out,): the neuron itself where none before it has the same inputs. Neurons without inputs are all the
        same.

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> matrix = sp.csr_array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0], [4.0, 5.0, 0.0]])
        >>> analysis.duplicate_neurons(ts.SparseMLP.from_matrices([matrix]).layers[0].connectivity).tolist()
        [0, 1, 0]
    """
    with np.errstate(over="ignore"):
        keys = (con.indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        hashes = []
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
            sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(keys, dtype=np.uint64)])
            hashes.append(sums[con.indptr[1:]] - sums[con.indptr[:-1]])
    pairs = np.stack(hashes, axis=1)
    _, first, which = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    first_same: NDArray[np.int64] = first[which.ravel()]
    return first_same
