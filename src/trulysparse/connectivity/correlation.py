"""Pearson correlations between features, some columns at a time, with the same bits on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import as_doubles
from trulysparse._core.sparse import to_csr
from trulysparse.errors import InputError

_VALUES = 1 << 25  # of dense samples, 8 bytes each
# Products of two values add up without rounding, in whatever order: twice 19 bits and 2^15 samples make 2^53.
_UNIT = 2.0**19
_CONSTANT = 1e-10  # share of the squares below which a variance is rounding


@dataclass(frozen=True)
class Correlation:
    """What correlations between features are computed from.

    Args:
        values: (n_samples, n_features) whole numbers below 2^19 in magnitude as float64, an array or a csr_array.
        sums: (n_features,) of the values.
        squares: (n_features,) n_samples^2 times the variance of the values, 0 where that is only rounding.

    Example:
        >>> import numpy as np
        >>> from trulysparse.connectivity.correlation import Correlation
        >>> X = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [3.0, 6.5, 0.0]])
        >>> correlation = Correlation.of_samples(X, 10, np.random.default_rng(0))
        >>> correlation.with_all(np.array([0])).round(3).tolist(), correlation.varies.tolist()
        ([[1.0], [0.998], [0.0]], [True, True, False])
    """

    values: Any
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    @staticmethod
    def of_samples(X: Any, max_samples: int, random: np.random.Generator) -> Correlation:
        """Of samples, or a part of them.

        Args:
            X: (n_samples, n_features) numbers, an array or a CSR matrix.
            max_samples: at most 2^15; of more, so many are drawn.
            random: the stream that they are drawn from.

        Returns:
            The correlations between features.

        Raises:
            InputError: where a value that is needed is not finite.
        """
        sparse = sp.issparse(X)
        most = max_samples if sparse else max(2, min(max_samples, _VALUES // X.shape[1]))
        rows = np.arange(X.shape[0])
        if len(rows) > most:
            rows = np.sort(random.permutation(len(rows))[:most])
            X = X[rows]
        values: Any = _whole_csr(X, rows) if sparse else _whole(X, rows)
        n = float(len(rows))
        sums = np.asarray(values.sum(axis=0), np.float64).ravel()
        squared = np.asarray((values.multiply(values) if sparse else values**2).sum(axis=0), np.float64).ravel()
        spread = n * squared - sums**2
        return Correlation(values, sums, np.where(spread > _CONSTANT * n * squared, spread, 0.0))

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Whether a feature has more than one value."""
        return self.squares > 0

    def with_all(self, features: NDArray[np.int64]) -> NDArray[np.float64]:
        """Correlations of some features with all; 0 for those that do not vary.

        Args:
            features: numbers of features.

        Returns:
            (n_features, len(features)) values from -1 to 1.
        """
        chosen = self.values[:, features]
        products: NDArray[np.float64] = self.values.T @ (chosen.toarray() if sp.issparse(chosen) else chosen)
        products *= self.values.shape[0]
        products -= self.sums[:, None] * self.sums[features]
        deviation = np.sqrt(np.where(self.varies, self.squares, np.inf))
        products /= deviation[:, None]
        products /= deviation[features]
        np.clip(products, -1, 1, out=products)
        return products


def as_samples(X: Any) -> Any:
    """X as an array or a CSR matrix, or InputError where it is not (n_samples, n_features) numbers."""
    axes = "(n_samples, n_features)"
    if sp.issparse(X):
        return to_csr(X, "X", axes)
    array = np.asanyarray(X)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        raise InputError(f"X must hold numbers of shape {axes}, not {array.dtype} of shape {array.shape}")
    return array


def _whole(X: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """A dense sample as whole numbers: each feature less its mean, in units of its largest deviation / 2^19."""
    values = np.array(as_doubles(X), np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        sample, feature = (int(each) for each in np.argwhere(wrong)[0])
        raise _not_finite(int(rows[sample]), feature, values[sample, feature])
    values /= _positive(np.abs(values).max(axis=0))
    values -= values.mean(axis=0)
    largest = np.abs(values).max(axis=0)
    values *= np.where(largest > 1e-12, _UNIT / _positive(largest), 0.0)
    return np.rint(values, out=values)


def _whole_csr(X: Any, rows: NDArray[np.int64]) -> Any:
    """A sparse sample likewise, but with zeros that stay zero."""
    values = sp.csr_array((np.array(as_doubles(X.data), np.float64), X.indices, X.indptr), shape=X.shape, copy=True)
    values.sum_duplicates()
    wrong = np.flatnonzero(~np.isfinite(values.data))
    if len(wrong):
        sample = int(np.searchsorted(values.indptr, wrong[0], side="right")) - 1
        raise _not_finite(int(rows[sample]), int(values.indices[wrong[0]]), values.data[wrong[0]])
    largest = np.zeros(values.shape[1])
    np.maximum.at(largest, values.indices, np.abs(values.data))
    values.data = np.rint(values.data / _positive(largest)[values.indices] * _UNIT)
    return values


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values > 0, values, 1.0)


def _not_finite(sample: int, feature: int, value: Any) -> InputError:
    return InputError(f"X[{sample}, {feature}] is {value!s}; features must be finite numbers")
