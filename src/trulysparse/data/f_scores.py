"""How much each feature says of the targets by itself: F statistics, computed chunk by chunk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import as_doubles
from trulysparse.data.matrix import Matrix, as_matrix, check_chunk, chunks
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError

# Of a feature that separates all samples.
LARGEST = 1e6


def f_scores(
    X: Any, y: Any, *, sample_weight: NDArray[Any] | None = None, scaling: Scaling | None = None
) -> NDArray[np.float64]:
    """The F statistic of each feature: of the variance between classes, or of the regression of each target.

    Args:
        X: (n_samples, n_features), see as_matrix, or a matrix; read once, chunk by chunk.
        y: labels 0 to n_classes - 1, integers (n_samples,); or targets (n_samples, n_targets), numbers or 0 and 1 of
            several labels, of which the mean is taken.
        sample_weight: (n_samples,), at least 0; None: all 1.
        scaling: of the features, which keeps squares in range; the statistic does not depend on it. None: none.

    Returns:
        (n_features,), at least 0 and at most LARGEST; 0 of constant features.

    Raises:
        InputError: where X and y do not fit together, or at the first value that is not finite.

    Source:
        Fisher, "Statistical methods for research workers" (1925), chapter 7.

    Example:
        >>> import numpy as np
        >>> X = [[0.0, 1.0, 3.0], [1.0, 0.0, 3.0], [4.0, 1.0, 3.0], [5.0, 0.0, 3.0]]
        >>> f_scores(X, np.array([0, 0, 1, 1])).round(6).tolist()
        [32.0, 0.0, 0.0]
    """
    matrix: Matrix = X if hasattr(X, "n_samples") else as_matrix(X)
    weight = np.ones(matrix.n_samples) if sample_weight is None else as_doubles(np.asarray(sample_weight))
    targets, degrees = _targets(y, weight)
    if targets.shape[0] != matrix.n_samples:
        raise InputError(f"y has {targets.shape[0]} samples, but X has {matrix.n_samples}")
    total = float(weight.sum())
    products = np.zeros((targets.shape[1], matrix.n_features))
    sums, squares = np.zeros(matrix.n_features), np.zeros(matrix.n_features)
    shift: NDArray[np.float64] | None = None
    for start, chunk in chunks(matrix):
        check_chunk(matrix, start, chunk)
        stop = start + chunk.shape[0]
        own, share = targets[start:stop], weight[start:stop]
        values: Any
        if sp.issparse(chunk):
            values = chunk.astype(np.float64)
            values = values if scaling is None else values.multiply(scaling.factor).tocsr()
            square = values.multiply(values)
        else:
            values = as_doubles(chunk)
            values = values * 1.0 if scaling is None else (values - scaling.offset) * scaling.factor
            shift = values.mean(axis=0) if shift is None else shift
            values -= shift
            square = values**2
        products += (values.T @ (own * share[:, None])).T
        sums += values.T @ share
        squares += square.T @ share
    with np.errstate(all="ignore"):
        spread = squares - sums**2 / max(total, 1e-300)
        said = (products**2).sum(axis=0)  # of targets that are orthonormal: what they explain of the spread
        rest = np.maximum(spread - said, 0.0)
        scores = said / degrees * max(total - degrees - 1, 1) / rest
        constant = ~(spread > 1e-12 * np.maximum(squares, 1e-300))
    return np.where(constant, 0.0, np.nan_to_num(np.minimum(scores, LARGEST), nan=0.0, posinf=LARGEST))


def _targets(y: Any, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """(columns to multiply features with, weighted mean 0, so that squares of the products add up to what is explained;
    degrees of freedom)."""
    total = max(float(weight.sum()), 1e-300)
    values: Any = y.toarray() if sp.issparse(y) else np.asarray(y)
    if values.ndim == 1 and values.dtype.kind in "iub":
        classes = np.eye(int(values.max(initial=0)) + 1)[values]
        held = classes.T @ weight if len(classes) == len(weight) else np.ones(classes.shape[1])
        used = held > 0
        # Minus the mean of the features: the sum of these columns' squares is that of the class means about it.
        mean = held[used] / total
        columns = classes[:, used] / np.sqrt(held[used]) - np.sqrt(held[used]) / total
        return columns, max(1, int(np.count_nonzero(mean)) - 1)
    columns = values.reshape(len(values), -1).astype(np.float64)
    if len(columns) != len(weight):
        return columns, 1
    columns = columns / np.maximum(np.abs(columns).max(axis=0, initial=0), 1e-300)  # squares stay in range
    columns = columns - weight @ columns / total
    norm: NDArray[np.float64] = np.sqrt(np.asarray(weight @ columns**2))
    used = norm > 0
    return columns[:, used] / norm[used] / math.sqrt(max(1, int(used.sum()))), 1
