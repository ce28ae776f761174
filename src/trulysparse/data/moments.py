"""Mean and deviation of columns, chunk by chunk, for any scale of numbers and in time proportional to stored values."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import as_doubles
from trulysparse.errors import InputError

Column = NDArray[np.float64]
_SMALLEST = -1000  # exponent of the smallest unit, whose inverse is still a number


class Moments:
    """The (weighted) mean and standard deviation of columns whose rows come chunk by chunk.

    Chunks are merged by the formula of Chan, Golub and LeVeque (1983, "Algorithms for computing the sample variance").
    Each column is counted in units of a power of two above its largest value, so that squares of very large and of very
    small numbers stay in range; the bits are otherwise the same.
    """

    def __init__(self, n_columns: int) -> None:
        self.weight = 0.0
        self._mean = np.zeros(n_columns)
        self._squares = np.zeros(n_columns)  # of deviations from the mean
        self._exponent = np.full(n_columns, _SMALLEST)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a file; see `of`."""
        weight = np.array([self.weight])
        return {"weight": weight, "mean": self._mean, "squares": self._squares, "exponent": self._exponent}

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]], n_columns: int) -> Moments:
        """What `arrays` gave; InputError where they are not of so many columns."""
        made = cls(n_columns)
        for name, like in made.arrays().items():
            array = arrays.get(name)
            if array is None or array.shape != like.shape or array.dtype != like.dtype:
                raise InputError(f"moments: '{name}' must be {like.dtype} of shape {like.shape}")
        made.weight = float(arrays["weight"][0])
        made._mean, made._squares, made._exponent = (arrays[name] for name in ("mean", "squares", "exponent"))
        return made

    @property
    def mean(self) -> Column:
        """Of each column."""
        mean: Column = np.ldexp(self._mean, self._exponent)
        return mean

    @property
    def deviation(self) -> Column:
        """The standard deviation of each column; 0 where it is constant but for rounding (the bound is that of
        scikit-learn's StandardScaler)."""
        n, epsilon = max(self.weight, 1e-300), np.finfo(np.float64).eps
        variance = np.maximum(self._squares, 0.0) / n  # rounding may leave slightly negative values
        constant = variance <= n * epsilon * variance + (n * self._mean * epsilon) ** 2
        return np.where(constant, 0.0, np.ldexp(np.sqrt(variance), self._exponent))

    def add(self, rows: Any, weight: NDArray[Any] | None = None) -> None:
        """Adds rows: finite numbers, a NumPy array or a CSR array."""
        total = float(rows.shape[0] if weight is None else weight.sum())
        if total <= 0:
            return
        sparse = sp.issparse(rows)
        mean, squares = (self._of_sparse if sparse else self._of_dense)(rows, weight, total)
        change, together = mean - self._mean, self.weight + total
        self._squares += squares + change**2 * (self.weight * total / together)
        self._mean += change * (total / together)
        self.weight = together

    def _grow(self, largest: Column) -> Column:
        """Raises the units to fit these magnitudes too; returns their inverses."""
        _, exponent = np.frexp(largest)
        exponent = np.maximum(np.where(largest > 0, exponent, _SMALLEST), self._exponent)
        self._mean = np.ldexp(self._mean, self._exponent - exponent)
        self._squares = np.ldexp(self._squares, 2 * (self._exponent - exponent))
        self._exponent = exponent
        inverse: Column = np.ldexp(1.0, -exponent)
        return inverse

    def _of_dense(self, rows: NDArray[Any], weight: NDArray[Any] | None, total: float) -> tuple[Column, Column]:
        values = as_doubles(rows)
        values = values * self._grow(np.maximum(values.max(axis=0), -values.min(axis=0)))
        share = np.ones(len(values)) if weight is None else weight
        mean = share @ values / total
        values -= mean
        rest = share @ values / total  # the error of rounding
        return mean + rest, np.einsum("i,ij,ij->j", share, values, values) - total * rest**2

    def _of_sparse(self, rows: Any, weight: NDArray[Any] | None, total: float) -> tuple[Column, Column]:
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
        n, index, values = rows.shape[1], rows.indices, as_doubles(rows.data)
        largest = np.zeros(n)
        np.maximum.at(largest, index, np.abs(values))
        values = values * self._grow(largest)[index]
        share = None if weight is None else np.repeat(weight, np.diff(rows.indptr))

        def summed(column: Column) -> Column:
            parts = column if share is None else share * column
            return np.bincount(index, parts, minlength=n).astype(np.float64, copy=False)

        counts = np.bincount(index if share is None else index[share > 0], minlength=n)
        everywhere = counts == (rows.shape[0] if weight is None else np.count_nonzero(weight))
        # The weight of values that are not stored: exactly 0, without rounding, where all are.
        zeros = np.where(everywhere, 0.0, np.maximum(total - summed(np.ones_like(values)), 0.0))
        mean = summed(values) / total
        values -= mean[index]
        rest = (summed(values) - zeros * mean) / total
        return mean + rest, summed(values**2) + zeros * mean**2 - total * rest**2
