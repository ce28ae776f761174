"""Paths from inputs to outputs: how many there are, which neurons and how many connections lie on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse.connectivity.indexed import count_marked
from trulysparse.nn.mlp import SparseMLP


@dataclass(frozen=True)
class Paths:
    """log10 of the number of paths from inputs to outputs; -inf where there are none.

    Args:
        total: of all paths.
        from_input: of the paths from each input, (n_inputs,).
        to_output: of the paths to each output, (n_outputs,).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> paths = analysis.effective_paths(ts.SparseMLP.from_matrices([np.ones((5, 2)), np.ones((2, 5))]))
        >>> paths.from_input, paths.to_output
        (array([1., 1.]), array([1., 1.]))
    """

    total: float
    from_input: NDArray[np.float64]
    to_output: NDArray[np.float64]


def effective_paths(net: SparseMLP) -> Paths:
    """Counts the paths of connections from inputs to outputs.

    One product of the connectivity with a vector of counts per layer, scaled at each so that float64 holds any number.
    Linear in connections.

    Args:
        net: the network.

    Returns:
        The logarithms of the counts.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP.from_matrices([np.ones((100, 10)), np.ones((10, 100))])
        >>> analysis.effective_paths(net).total  # 10 * 100 * 10
        4.0
    """
    cons = [layer.connectivity for layer in net.chain]
    forward = _log_counts([con.pattern() for con in cons])
    backward = _log_counts([con.pattern().T for con in reversed(cons)])
    if net.skip:  # each of its connections is a path
        pattern = net.skip_layer.connectivity.pattern()
        forward, backward = _log_add(forward, _log_counts([pattern])), _log_add(backward, _log_counts([pattern.T]))
    return Paths(_log_sum(forward), backward, forward)


@dataclass(frozen=True)
class EffectiveConnections:
    """Connections on a path from an input to an output; the others do not change what a network computes, other than by
    constants.

    Args:
        layers: their number in each layer, first to last.
        of: the number of all connections of each layer.

    Example:
        >>> from trulysparse import analysis
        >>> effective = analysis.EffectiveConnections(layers=(30, 10), of=(40, 10))
        >>> effective.total, effective.share, effective.shares
        (40, 0.8, (0.75, 1.0))
    """

    layers: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def total(self) -> int:
        """Their number in the network."""
        return sum(self.layers)

    @property
    def share(self) -> float:
        """Of the network's connections; 1 where it has none."""
        return self.total / sum(self.of) if sum(self.of) else 1.0

    @property
    def shares(self) -> tuple[float, ...]:
        """Of each layer's connections; 1 where it has none."""
        return tuple(n / of if of else 1.0 for n, of in zip(self.layers, self.of, strict=True))


def effective_connections(net: SparseMLP) -> EffectiveConnections:
    """Counts the connections that lie on a path from an input to an output.

    Time linear in connections, memory in neurons.

    Args:
        net: the network, with storage='indexed'.

    Returns:
        The counts of each layer.

    Raises:
        NotIndexedError: of a network with storage='compact'; use net.indexed().

    Source:
        Vysogorets and Kempe, "Connectivity matters: neural network pruning through the lens of effective sparsity",
        JMLR 24 (2023), section 2.

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> first, second = sp.csr_array([[1.0, 1.0], [0.0, 1.0]]), sp.csr_array([[1.0, 0.0]])
        >>> effective = analysis.effective_connections(ts.SparseMLP.from_matrices([first, second]))
        >>> effective.layers, effective.share  # the second hidden neuron has no output
        ((2, 1), 0.75)
    """
    reached, reaching = reached_neurons(net), reaching_neurons(net)
    counts = [
        int(count_marked(layer.connectivity.by_input, onward, net.threads)[source].sum())
        for layer, source, onward in zip(net.chain, reached, reaching[1:], strict=False)
    ]
    if net.skip:
        counts.append(net.skip_layer.n_connections)
    return EffectiveConnections(tuple(counts), tuple(layer.n_connections for layer in net.layers))


def reached_neurons(net: SparseMLP) -> list[NDArray[np.bool_]]:
    """For each layer of neurons, inputs first, marks of those that a path leads to from an input."""
    marks = [np.ones(net.layer_sizes[0], np.bool_)]
    for layer in net.chain:
        marks.append(count_marked(layer.connectivity.by_output, marks[-1], net.threads) > 0)
    return marks


def reaching_neurons(net: SparseMLP) -> list[NDArray[np.bool_]]:
    """For each layer of neurons, inputs first, marks of those from which a path leads to an output."""
    marks = [np.ones(net.layer_sizes[-1], np.bool_)]
    for layer in reversed(net.chain):
        marks.append(count_marked(layer.connectivity.by_input, marks[-1], net.threads) > 0)
    return marks[::-1]


def _log_counts(steps: Sequence[sp.csr_array]) -> NDArray[np.float64]:
    counts, scale = np.ones(steps[0].shape[1]), 0.0
    for step in steps:
        counts = step @ counts
        top = counts.max(initial=0.0)
        if top == 0:
            break
        counts /= top
        scale += np.log10(top)
    counts = np.zeros(steps[-1].shape[0]) if len(counts) != steps[-1].shape[0] else counts
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float64] = np.log10(counts) + scale
    return logs


def _log_add(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.logaddexp(a * np.log(10), b * np.log(10)) / np.log(10)
    return total


def _log_sum(logs: NDArray[np.float64]) -> float:
    top = logs.max()
    return float(top if top == -np.inf else top + np.log10((10 ** (logs - top)).sum()))
