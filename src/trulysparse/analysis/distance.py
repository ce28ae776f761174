"""How far two topologies are apart once their neurons are matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from trulysparse._core import memory
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP


@dataclass(frozen=True)
class TopologyDistance:
    """How far two topologies are apart.

    Args:
        layers: for each layer the mean distance of matched neurons, 0 (the same inputs) to 1 (none in common).
        mean: over all neurons.
        matches: matches[l][i] is the neuron of the second network that neuron i of the first was matched with.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP((5, 4, 2), epsilon=1, seed=0)
        >>> distance = analysis.topology_distance(net, net)
        >>> distance.layers, distance.mean
        ((0.0, 0.0), 0.0)
    """

    layers: tuple[float, ...]
    mean: float
    matches: tuple[NDArray[np.int64], ...]


def topology_distance(first: SparseMLP, second: SparseMLP) -> TopologyDistance:
    """Compares the neurons of two networks by their sets of inputs: distance |A xor B| / |A or B|.

    From the first hidden layer on, the neurons of a layer are matched so that the sum of distances is least, by an
    assignment solver; the next layer is compared in the matched order. Output neurons are not permuted. Memory n * n,
    time up to n^3 for the widest hidden layer n: for networks of thousands of neurons per layer.

    Args:
        first: a network.
        second: another one of the same sizes.

    Returns:
        The distances and the matching.

    Raises:
        InputError: where the sizes differ.
        NotEnoughMemoryError: where the matrix of distances does not fit memory.

    Source:
        NNSTD of Liu et al., "Topological insights into sparse neural networks", ECML-PKDD 2020.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> nets = [ts.SparseMLP((8, 10, 3), epsilon=1, seed=seed) for seed in (1, 2)]
        >>> 0 < analysis.topology_distance(*nets).mean < 1
        True
    """
    if first.layer_sizes != second.layer_sizes or first.skip != second.skip:
        raise InputError(f"the networks differ in size: {first.layer_sizes} and {second.layer_sizes}")
    widest = max(first.layer_sizes[1:])
    memory.require(24 * widest**2, f"matching layers of {widest} neurons", "compare narrower networks")
    order = np.arange(first.layer_sizes[0])
    layers, matches, total = [], [], 0.0
    for number, (a, b) in enumerate(zip(first.layers, second.layers, strict=True)):
        is_skip = number >= len(first.chain)
        if is_skip:
            order = np.arange(a.n_in)
        costs = _distances(a.connectivity.pattern(), b.connectivity.pattern()[:, order])
        last = number >= len(first.chain) - 1
        order = np.arange(a.n_out) if last else linear_sum_assignment(costs)[1]
        matched = costs[np.arange(a.n_out), order]
        layers.append(float(matched.mean()))
        total += float(matched.sum())
        matches.append(order)
    return TopologyDistance(tuple(layers), total / sum(layer.n_out for layer in first.layers), tuple(matches))


def _distances(a: sp.csr_array, b: sp.csr_array) -> NDArray[np.float64]:
    """Row by row of a against row by row of b."""
    common = (a @ b.T).toarray().astype(np.float64)
    union = a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - common
    alike: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return 1.0 - alike
