"""Values that are scaled as they are loaded, wherever they lie: targets of a network with a target_scaling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats, as_doubles
from trulysparse.data.matrix import Matrix, Reader
from trulysparse.data.scaling import Scaling


class ScaledMatrix:
    """The values of a matrix, scaled; no scaled copy of them is made. A Matrix, whose values are looked at as they are
    loaded.

    Args:
        matrix: the values as they were given.
        scaling: of its features.

    Example:
        >>> from trulysparse.data import as_matrix
        >>> scaled = ScaledMatrix(as_matrix([[1.0], [3.0]]), Scaling("standard", np.array([2.0]), np.array([0.5])))
        >>> scaled.chunk(0, 2).tolist()
        [[-0.5], [0.5]]
    """

    streamed = True
    what = "targets"

    def __init__(self, matrix: Matrix, scaling: Scaling) -> None:
        self.matrix = matrix
        self.scaling = scaling
        self.x: Any = matrix.x
        self.name = matrix.name
        self.n_samples, self.n_features = matrix.n_samples, matrix.n_features
        self.sample_bytes = 8.0 * self.n_features

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """See Matrix.order."""
        return self.matrix.order(rows, rng)

    @contextmanager
    def reader(self, order: NDArray[np.int64] | None = None) -> Iterator[Reader]:
        """See Matrix.reader."""
        with self.matrix.reader(order) as reader:
            yield _ScaledReader(reader, self.scaling)

    def shared_by(self, readers: int) -> ScaledMatrix:
        """See Matrix.shared_by."""
        return ScaledMatrix(self.matrix.shared_by(readers), self.scaling)

    def feature_name(self, feature: int) -> str:
        """What messages call a feature."""
        return self.matrix.feature_name(feature)

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in it)."""
        return self.matrix.origin(sample)

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader; `scaling` must be None."""
        _ScaledReader(self.matrix, self.scaling).load(rows, out, scaling, threads)

    def chunk(self, start: int, stop: int) -> NDArray[np.float64]:
        """See Reader."""
        return _ScaledReader(self.matrix, self.scaling).chunk(start, stop)


class _ScaledReader:
    """A reader of the given values, which scales them."""

    def __init__(self, reader: Reader, scaling: Scaling) -> None:
        self._reader = reader
        self._scaling = scaling

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        assert scaling is None  # there is one
        self._reader.load(rows, out, self._scaling, threads)

    def chunk(self, start: int, stop: int) -> NDArray[np.float64]:
        values = self._reader.chunk(start, stop)
        dense = as_doubles(values.toarray() if sp.issparse(values) else np.asarray(values))
        return (dense - self._scaling.offset) * self._scaling.factor


def scaling_of(matrix: Matrix) -> Scaling | None:
    """What a matrix applies to its values; None: nothing."""
    return matrix.scaling if isinstance(matrix, ScaledMatrix) else None


def same_scaling(a: Scaling | None, b: Scaling | None) -> bool:
    """Whether two scalings, or none, make the same values."""
    if a is b:
        return True
    if a is None or b is None:
        return False
    return np.array_equal(a.offset, b.offset) and np.array_equal(a.factor, b.factor)
