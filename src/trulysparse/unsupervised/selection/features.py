"""Some features of a Matrix, read without the others and without a copy of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.arrays import Floats, empty
from trulysparse.data import Matrix, Reader, Scaling
from trulysparse.data.matrix import DenseMatrix, InMemoryMatrix, SparseMatrix
from trulysparse.data.sparse import rows_of
from trulysparse.errors import InputError


class SelectedFeatures:
    """The features `features` of samples, in that order; a Matrix.

    Of arrays and CSR only the values of these features are copied, batch by batch. Of data frames and streams whole
    samples are read, and one batch of them is held.

    Args:
        matrix: the samples.
        features: numbers of features, int64, each once.

    Example:
        >>> import numpy as np
        >>> from trulysparse.data import as_matrix
        >>> from trulysparse.unsupervised.selection.features import SelectedFeatures
        >>> matrix = SelectedFeatures(as_matrix([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([2, 0]))
        >>> out = np.empty((2, 2), np.float32)
        >>> with matrix.reader() as reader:
        ...     reader.load(np.array([1, 0]), out, None, 1)
        >>> out.tolist()  # features x samples
        [[6.0, 3.0], [4.0, 1.0]]
    """

    def __init__(self, matrix: Matrix, features: NDArray[np.int64]) -> None:
        self.x: Any = self
        self.matrix = matrix
        self.features = features
        self.name = matrix.name
        self.n_samples, self.n_features = matrix.n_samples, len(features)
        self.streamed = matrix.streamed
        self.sample_bytes = matrix.sample_bytes
        self._number: NDArray[np.int32] | None = None  # of each feature among those chosen, -1 of the others
        if isinstance(matrix, SparseMatrix):
            self._number = np.full(matrix.n_features, -1, np.int32)
            self._number[features] = np.arange(len(features))

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """See Matrix."""
        return self.matrix.order(rows, rng)

    def reader(self, order: NDArray[np.int64] | None = None) -> AbstractContextManager[Reader]:
        """See Matrix."""
        return self._opened(order)

    @contextmanager
    def _opened(self, order: NDArray[np.int64] | None) -> Iterator[Reader]:
        with self.matrix.reader(order) as reader:
            yield _SelectedReader(self, reader)

    def shared_by(self, readers: int) -> Matrix:
        """See Matrix."""
        return SelectedFeatures(self.matrix.shared_by(readers), self.features)

    def feature_name(self, feature: int) -> str:
        """See Matrix."""
        return self.matrix.feature_name(int(self.features[feature]))

    def origin(self, sample: int) -> tuple[str, int]:
        """See Matrix."""
        return self.matrix.origin(sample)

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader. scaling: of these features."""
        with self.reader(rows) as reader:
            reader.load(rows, out, scaling, threads)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        with self.reader(np.arange(self.n_samples)) as reader:
            return reader.chunk(start, stop)

    def part(self, rows: NDArray[np.int64]) -> InMemoryMatrix | None:
        """The values of samples `rows` alone, as a Matrix; None where they cannot be had without the others."""
        matrix = self.matrix
        if isinstance(matrix, DenseMatrix):
            return DenseMatrix(matrix.x[rows[:, None], self.features], matrix.name)
        if self._number is None:
            return None
        pointers, index, values = rows_of(matrix.x, rows)
        number = self._number[index]
        chosen = number >= 0
        before = np.zeros(len(index) + 1, np.int64)
        np.cumsum(chosen, out=before[1:])
        shape = len(rows), self.n_features
        return SparseMatrix(sp.csr_array((values[chosen], number[chosen], before[pointers]), shape=shape), matrix.name)


class _SelectedReader:
    """A Reader of SelectedFeatures, on one of all features."""

    def __init__(self, selected: SelectedFeatures, reader: Reader) -> None:
        self._selected = selected
        self._reader = reader
        self._whole: Floats = np.empty((0, 0))

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """See Reader. scaling: of the features chosen."""
        selected = self._selected
        part = selected.part(rows)
        if part is not None:
            bad = part.fill(np.arange(len(rows)), out, scaling, threads)
            if bad >= 0:
                sample, feature = divmod(bad, selected.n_features)
                raise self._refused(int(rows[sample]), int(selected.features[feature]), out.dtype)
            return
        shape = selected.matrix.n_features, out.shape[1]
        if self._whole.shape != shape or self._whole.dtype != out.dtype:
            self._whole = empty(shape[0] * shape[1], out.dtype).reshape(shape)
        self._reader.load(rows, self._whole, _of_all(scaling, selected.features, shape[0]), threads)
        np.take(self._whole, selected.features, axis=0, out=out)

    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""
        chunk = self._reader.chunk(start, stop)
        return chunk[:, self._selected.features]

    def _refused(self, sample: int, feature: int, dtype: Any) -> InputError:
        matrix = self._selected.matrix
        assert isinstance(matrix, InMemoryMatrix)
        return matrix.refuse(sample, feature, dtype)


def _of_all(scaling: Scaling | None, features: NDArray[np.int64], n_features: int) -> Scaling | None:
    """A scaling of all features that is `scaling` for some and makes the others 0."""
    if scaling is None:
        return None
    offset, factor = np.zeros(n_features), np.zeros(n_features)
    offset[features], factor[features] = scaling.arrays()
    return Scaling(scaling.kind, offset, factor)


def scaling_of(scaling: Scaling, features: NDArray[np.int64]) -> Scaling:
    """The scaling of some features.

    Args:
        scaling: of all features.
        features: numbers of features.

    Returns:
        Offsets and factors of these, in this order.

    Example:
        >>> import numpy as np
        >>> from trulysparse.data import Scaling
        >>> from trulysparse.unsupervised.selection.features import scaling_of
        >>> scaling_of(Scaling("standard", np.array([1.0, 2.0]), np.array([3.0, 4.0])), np.array([1])).factor.tolist()
        [4.0]
    """
    return Scaling(scaling.kind, scaling.offset[features], scaling.factor[features])
