"""Scaling of input features with the training set's figures; kept in the model and applied at its door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _checks
from trulysparse.progress import Progress, silent

if TYPE_CHECKING:
    from trulysparse.data.matrix import Matrix

KINDS = ("none", "standard", "minmax")


@dataclass(frozen=True)
class Scaling:
    """x -> (x - shift) * factor, a pair of float64 values a feature. A constant feature becomes 0."""

    kind: str
    shift: NDArray[np.float64]
    factor: NDArray[np.float64]

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(shift, factor)."""
        return self.shift, self.factor


def fit_scaling(
    kind: str, matrix: Matrix, sample_weight: NDArray[Any] | None = None, progress: Progress = silent
) -> Scaling | None:
    """The scaling's figures from all samples, chunk by chunk.

    kind: 'none', 'standard' (mean 0, standard deviation 1) or 'minmax' (to [0, 1]).
    """
    _checks.choice("scale", kind, KINDS)
    if kind == "none":
        return None
    found = _standard(matrix, sample_weight, progress) if kind == "standard" else _minmax(matrix, progress)
    progress("scaling", matrix.n_samples, matrix.n_samples)
    return found


def _standard(matrix: Matrix, sample_weight: NDArray[Any] | None, progress: Progress) -> Scaling:
    from sklearn.preprocessing import StandardScaler

    from trulysparse.data.matrix import chunks

    scaler: Any = None
    for start, chunk in chunks(matrix):
        progress("scaling", start, matrix.n_samples)
        if scaler is None:
            scaler = StandardScaler(with_mean=not sp.issparse(chunk))
        weight = None if sample_weight is None else sample_weight[start : start + chunk.shape[0]]
        scaler.partial_fit(chunk if chunk.dtype.kind == "f" else chunk.astype(np.float64), sample_weight=weight)
    constant = scaler.scale_ == 1.0
    constant &= scaler.var_ < 0.5  # scale_ is 1 for constant features and for a true deviation of 1
    factor = np.where(constant, 0.0, 1.0 / scaler.scale_)
    return Scaling("standard", np.asarray(scaler.mean_, dtype=np.float64), factor)


def _minmax(matrix: Matrix, progress: Progress) -> Scaling:
    from sklearn.utils.sparsefuncs import min_max_axis

    from trulysparse.data.matrix import chunks

    low = np.full(matrix.n_features, np.inf)
    high = np.full(matrix.n_features, -np.inf)
    for start, chunk in chunks(matrix):
        progress("scaling", start, matrix.n_samples)
        if sp.issparse(chunk):
            least, most = min_max_axis(chunk.astype(np.float64), axis=0)
        else:
            least, most = chunk.min(axis=0), chunk.max(axis=0)
        low, high = np.minimum(low, least), np.maximum(high, most)
    span = high - low
    return Scaling("minmax", low, np.divide(1.0, span, out=np.zeros_like(span), where=span > 0))
