"""Targets of regression in standard units, and values of a network back in the unit of the targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import chunks
from trulysparse.data.moments import Moments
from trulysparse.data.scaling import Scaling
from trulysparse.data.targets import check_values
from trulysparse.errors import InputError

LARGEST_TARGET = 1e300  # differences and deviations of larger ones would be out of range


def fit_target_scaling(y: ArrayLike, sample_weight: NDArray[Any] | None = None) -> Scaling:
    """The scaling of targets to mean 0 and standard deviation 1, for `net.target_scaling`.

    Args:
        y: (n_samples, n_outputs) or (n_samples,), finite numbers in memory.
        sample_weight: (n_samples,); None: all 1.

    Returns:
        The scaling, with factor 1 for a constant target.

    Raises:
        InputError: where y is not of this form, or beyond 1e300.

    Example:
        >>> scaling = fit_target_scaling([[1.0, 5.0], [3.0, 5.0]])
        >>> scaling.offset.tolist(), scaling.factor.tolist()
        ([2.0, 5.0], [1.0, 1.0])
    """
    array = _dense(y)
    values = check_values(array, 1 if array.ndim == 1 else array.shape[-1])
    moments = Moments(values.matrix.n_features)
    for start, chunk in chunks(values.matrix):
        _check_range(chunk, start)
        moments.add(chunk, None if sample_weight is None else sample_weight[start : start + len(chunk)])
    deviation = moments.deviation
    with np.errstate(over="ignore", divide="ignore"):
        factor = 1.0 / deviation
    return Scaling("standard", moments.mean, np.where(np.isfinite(factor) & (factor > 0), factor, 1.0))


def standardised(y: Any, scaling: Scaling) -> NDArray[np.float64]:
    """Targets as a network with a target scaling is trained on them: (y - offset) * factor.

    Args:
        y: (n_samples, n_outputs), or (n_samples,) where there is one output; numbers in memory.
        scaling: of the targets.

    Returns:
        (n_samples, n_outputs) float64.

    Raises:
        InputError: where y is sparse or in files (see ScaledMatrix), of another shape, not finite, or beyond 1e300.

    Example:
        >>> standardised([1.0, 3.0], Scaling("standard", np.array([2.0]), np.array([0.5]))).tolist()
        [[-0.5], [0.5]]
    """
    values = check_values(_dense(y), len(scaling.offset))
    out = np.empty((len(values), len(scaling.offset)))
    for start, chunk in chunks(values.matrix):
        _check_range(chunk, start)
        part = out[start : start + len(chunk)]
        np.subtract(chunk, scaling.offset, out=part)
        part *= scaling.factor
    return out


def in_unit(values: Floats, scaling: Scaling) -> NDArray[np.float64]:
    """Values of a network in the unit of the targets, the inverse of `standardised`.

    Args:
        values: (n_samples, n_outputs), finite.
        scaling: of the targets.

    Returns:
        (n_samples, n_outputs) float64.

    Raises:
        InputError: where one is beyond the range of float64.

    Example:
        >>> in_unit(np.array([[-0.5], [0.5]]), Scaling("standard", np.array([2.0]), np.array([0.5]))).tolist()
        [[1.0], [3.0]]
    """
    factor = np.where(scaling.factor == 0, np.inf, scaling.factor)  # a constant has its value
    with np.errstate(over="ignore", invalid="ignore"):
        out: NDArray[np.float64] = np.asarray(values, np.float64) / factor + scaling.offset
    beyond = np.flatnonzero(~np.isfinite(out).all(axis=1))
    if len(beyond):
        raise InputError(f"the prediction for X[{beyond[0]}] is beyond the range of float64; scale the targets")
    return out


def _dense(y: Any) -> Any:
    """y as an array, a memory map as it is."""
    if sp.issparse(y) or hasattr(type(y), "reader"):
        raise InputError(f"y must be a dense array in memory to be standardised as a whole, not {type(y).__name__}")
    if not isinstance(y, np.ndarray):
        try:
            y = np.asarray(y)
        except ValueError:
            raise InputError("y must be an array of numbers: its rows differ in length") from None
    return np.asarray(y)


def _check_range(chunk: NDArray[Any], start: int) -> None:
    beyond = np.abs(chunk.astype(np.float64, copy=False)) > LARGEST_TARGET
    if beyond.any():
        sample, output = np.argwhere(beyond)[0]
        raise InputError(
            f"y[{start + sample}, {output}] is {chunk[sample, output]}; targets must lie between "
            f"-{LARGEST_TARGET:g} and {LARGEST_TARGET:g}"
        )
