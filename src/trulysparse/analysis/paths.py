"""Effective input-output paths, counted and not walked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse.nn.mlp import SparseMLP


@dataclass(frozen=True)
class Paths:
    """log10 of the number of paths from inputs to outputs: in total, from each input (-inf: none), to each output."""

    total: float
    from_input: NDArray[np.float64]
    to_output: NDArray[np.float64]


def effective_paths(net: SparseMLP) -> Paths:
    """Paths of connections from an input to an output. One product of the connectivity with a vector of counts a layer,
    scaled at each so that float64 holds any number. Linear in connections."""
    cons = [layer.connectivity for layer in net.layers]
    forward = _log_counts([con.pattern() for con in cons])
    backward = _log_counts([con.pattern().T for con in reversed(cons)])
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


def _log_sum(logs: NDArray[np.float64]) -> float:
    top = logs.max()
    return float(top if top == -np.inf else top + np.log10((10 ** (logs - top)).sum()))
