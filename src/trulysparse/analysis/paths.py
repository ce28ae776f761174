"""Effective input-output paths, counted without enumerating them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

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
