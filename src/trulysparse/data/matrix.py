"""X as users pass it (NumPy array of any numeric type, memory map, SciPy sparse, DataFrame), read batch by batch and
never converted as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, as_doubles, kernel_readable
from trulysparse.data.scaling import Scaling
from trulysparse.data.sparse import as_csr, rows_of
from trulysparse.errors import InputError

_CHUNK_BYTES = 32 << 20
_PLAIN = (np.dtype(np.float32), np.dtype(np.float64))  # of this machine's byte order


class Reader(Protocol):
    """Loads samples, for one thread at a time."""

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """Fills `out` with samples.

        Args:
            rows: numbers of the samples, int64, at most `stride` of them.
            out: float32 or float64, n_features x stride; columns beyond the samples become 0.
            scaling: applied to the values; None: none.
            threads: how many threads to use.

        Raises:
            InputError: at NaN, infinity, and values beyond the range of out's type.
        """

    def chunk(self, start: int, stop: int) -> Any:
        """Samples start to stop - 1 as a NumPy array or a CSR array, unscaled."""


class Matrix(Reader, Protocol):
    """Samples x features. The network reads it in batches, the scaling in chunks."""

    n_samples: int
    n_features: int
    name: str
    x: Any
    """The samples as they were given (bool as uint8, sparse formats as CSR)."""
    streamed: bool
    """Whether samples are in files: values are then checked as they are loaded, not in a pass of their own."""
    sample_bytes: float
    """About how much memory a sample takes in a chunk."""

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples `rows` in a random order that this matrix can read well."""

    def reader(self, order: NDArray[np.int64] | None = None) -> AbstractContextManager[Reader]:
        """A reader with a state of its own, for one thread.

        Args:
            order: the samples that it will load, in that order, so that they can be read ahead; None: not known.
        """

    def shared_by(self, readers: int) -> Matrix:
        """The same samples for `readers` readers at a time, which share the memory for reading ahead."""

    def feature_name(self, feature: int) -> str:
        """What messages call a feature."""

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in it) where the user finds a sample: in the file that it is read from."""


class Named(Protocol):
    """Samples and features that messages can name."""

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in it) where the user finds a sample."""

    def feature_name(self, feature: int) -> str:
        """What messages call a feature."""


def unusable(matrix: Named, sample: int, feature: int, value: Any, dtype: Any = np.float64) -> InputError:
    """The error for a value that a network of this type cannot use."""
    name, row = matrix.origin(sample)
    where = f"{name}[{row}, {matrix.feature_name(feature)}] is {value!s}"
    if getattr(matrix, "what", "features") == "targets":  # which are not scaled
        return InputError(f"{where}; targets must be finite numbers within the range of {np.dtype(dtype)}")
    if np.isfinite(value):
        return InputError(f"{where}; features must lie within the range of {np.dtype(dtype)} once they are scaled")
    return InputError(f"{where}; features must be finite numbers")


def shuffled(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The samples `rows` in a random order."""
    return rows[rng.permutation(len(rows))]


class InMemoryMatrix(ABC):
    """Samples in memory: each is its own reader, for any number of threads."""

    streamed = False
    x: Any
    n_samples: int
    n_features: int
    name: str
    sample_bytes: float
    what = "features"
    """What messages call the values: features or targets."""

    def feature_name(self, feature: int) -> str:
        return str(feature)

    def origin(self, sample: int) -> tuple[str, int]:
        return self.name, sample

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        return shuffled(rows, rng)

    def reader(self, order: NDArray[np.int64] | None = None) -> AbstractContextManager[Self]:
        return nullcontext(self)

    def shared_by(self, readers: int) -> Self:
        return self

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        bad = self.fill(rows, out, scaling, threads)
        if bad >= 0:
            sample, feature = divmod(bad, self.n_features)
            raise self.refuse(int(rows[sample]), feature, out.dtype)

    def refuse(self, sample: int, feature: int, dtype: Any) -> InputError:
        """The error for one of the values."""
        return unusable(self, sample, feature, self.value(sample, feature), dtype)

    @abstractmethod
    def fill(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> int:
        """As load; returns the position of the first bad value, its index in `rows` * n_features + feature, or -1."""

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Any:
        """See Reader."""

    def value(self, sample: int, feature: int) -> Any:
        """A single value."""
        return self.x[sample, feature]


class DenseMatrix(InMemoryMatrix):
    """A NumPy array or memory map, read in place whatever its strides. array: the same, or None where kernels cannot
    read its type."""

    def __init__(self, x: NDArray[Any], name: str) -> None:
        self.x = x.view(np.uint8) if x.dtype == bool else x
        self.name = name
        self.n_samples, self.n_features = x.shape
        self.streamed = isinstance(x, np.memmap)
        self.sample_bytes = 8 * self.n_features
        # The common case is told at a glance: a step reads a new batch each time.
        plain = x.dtype in _PLAIN and x.flags.c_contiguous and x.flags.aligned
        self.array = self.x if plain or kernel_readable(self.x) else None

    def fill(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> int:
        offset, factor = scaling.arrays() if scaling else (None, None)
        if self.array is not None:
            return _kernels.load_dense(self.array, rows, offset, factor, out, threads)
        batch = as_doubles(self.x[rows])
        return _kernels.load_dense(batch, np.arange(len(rows)), offset, factor, out, threads)

    def chunk(self, start: int, stop: int) -> NDArray[Any]:
        return np.asarray(self.x[start:stop])


class SparseMatrix(InMemoryMatrix):
    """A SciPy sparse array; formats other than CSR are converted once."""

    def __init__(self, x: Any, name: str) -> None:
        self.x = as_csr(x, name)
        self.name = name
        self.n_samples, self.n_features = self.x.shape
        stored = self.x.data.itemsize + self.x.indices.itemsize
        self.sample_bytes = int(self.x.indptr[-1]) * stored / max(1, self.n_samples)

    def fill(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> int:
        (ptr, index, values), (offset, factor) = rows_of(self.x, rows), scaling.arrays() if scaling else (None, None)
        with np.errstate(over="ignore", invalid="ignore"):  # the kernel finds what is not finite
            if offset is not None and factor is not None and values.dtype.itemsize > out.dtype.itemsize:
                # A value beyond the range of out's type may be within it once it is scaled.
                values = as_doubles(values) * factor[index]
                offset, factor = offset * factor, np.ones_like(factor)
            values = values.astype(out.dtype, copy=False)
        return _kernels.load_sparse(ptr, index.astype(np.int32, copy=False), values, offset, factor, out, threads)

    def chunk(self, start: int, stop: int) -> Any:
        return self.x[start:stop]


class FrameMatrix(InMemoryMatrix):
    """A DataFrame whose columns are all numbers."""

    def __init__(self, x: Any, name: str) -> None:
        self.x = x
        self.name = name
        self.n_samples, self.n_features = x.shape
        self.sample_bytes = 8 * self.n_features
        for column, dtype in zip(x.columns, x.dtypes, strict=True):
            if getattr(dtype, "kind", "O") not in "iufb":
                raise InputError(f"{name}: column '{column}' holds {dtype}, not numbers; encode or drop it")

    def feature_name(self, feature: int) -> str:
        return f"'{self.x.columns[feature]}'"

    def _numbers(self, frame: Any) -> NDArray[np.float64]:
        return np.ascontiguousarray(frame.to_numpy(dtype=np.float64, na_value=np.nan))

    def fill(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> int:
        batch = self._numbers(self.x.iloc[rows])
        return DenseMatrix(batch, self.name).fill(np.arange(len(rows)), out, scaling, threads)

    def value(self, sample: int, feature: int) -> Any:
        return self._numbers(self.x.iloc[[sample]])[0, feature]

    def chunk(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._numbers(self.x.iloc[start:stop])


def _dense(array: NDArray[Any], name: str) -> DenseMatrix:
    if array.ndim != 2:
        raise InputError(f"{name} must have shape (n_samples, n_features), not {array.shape}")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} must hold numbers, not {array.dtype}")
    return DenseMatrix(array, name)


def as_in_memory(x: Any, name: str = "X") -> InMemoryMatrix:
    """Wraps X in memory; InputError where it is not two-dimensional, numeric and non-empty."""
    matrix: InMemoryMatrix
    if isinstance(x, np.ndarray):  # first, as predicting a single sample takes only microseconds
        matrix = _dense(x, name)
    elif sp.issparse(x):
        if x.dtype.kind not in "iufb":
            raise InputError(f"{name} must hold numbers, not {x.dtype}")
        matrix = SparseMatrix(x, name)
    elif hasattr(x, "iloc") and hasattr(x, "columns"):
        matrix = FrameMatrix(x, name)
    else:
        try:
            array = np.asarray(x)
        except ValueError:
            raise InputError(f"{name} must have shape (n_samples, n_features): its rows differ in length") from None
        matrix = _dense(array, name)
    _require_values(matrix, name)
    return matrix


def as_matrix(x: Any, name: str = "X") -> Matrix:
    """Wraps X for reading in batches, without a copy.

    Args:
        x: (n_samples, n_features): a NumPy array of any numeric type, a memory map, a SciPy sparse array or matrix, a
            DataFrame of numbers, nested lists, or a Matrix, which is returned as it is.
        name: what messages call it.

    Returns:
        The samples as a Matrix.

    Raises:
        InputError: where x is not two-dimensional, not numeric or empty, or a sparse x has invalid indices.

    Example:
        >>> matrix = as_matrix([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> matrix.n_samples, matrix.n_features
        (3, 2)
        >>> matrix.chunk(1, 3)
        array([[3., 4.],
               [5., 6.]])
    """
    if not isinstance(x, np.ndarray) and hasattr(type(x), "reader"):
        matrix: Matrix = x
        _require_values(matrix, name)
        return matrix
    return as_in_memory(x, name)


def array_of_samples(matrix: Matrix, most: int = 10_000) -> Any:
    """Samples as an array or a CSR array, without a copy where they are in memory or a memory map.

    Args:
        matrix: the samples; see as_matrix.
        most: of streamed samples, how many are read from the first on, at least 1.

    Returns:
        (n_samples, n_features) values, not checked.

    Example:
        >>> array_of_samples(as_matrix([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if isinstance(matrix.x, np.ndarray) or sp.issparse(matrix.x):
        return matrix.x
    rows = np.arange(min(matrix.n_samples, most))
    with matrix.reader(rows) as reader:
        return reader.chunk(0, len(rows))


def _require_values(matrix: Matrix, name: str) -> None:
    """InputError where there are no samples or no features."""
    if matrix.n_samples == 0 or matrix.n_features == 0:
        raise InputError(f"{name} is empty: shape ({matrix.n_samples}, {matrix.n_features})")


def chunks(matrix: Matrix) -> Iterator[tuple[int, Any]]:
    """(first sample, chunk) over all samples, each chunk of a bounded number of bytes (of stored values where samples
    are sparse)."""
    rows = max(1, int(_CHUNK_BYTES // max(1.0, matrix.sample_bytes)))
    doubles = max(1, _CHUNK_BYTES // (8 * matrix.n_features))
    with matrix.reader(np.arange(matrix.n_samples)) as reader:
        for start in range(0, matrix.n_samples, rows):
            chunk = reader.chunk(start, min(matrix.n_samples, start + rows))
            step = rows if sp.issparse(chunk) else doubles
            for at in range(0, chunk.shape[0], step):
                yield start + at, chunk[at : at + step]


def check_finite(matrix: Matrix) -> None:
    """Checks all values, chunk by chunk.

    Args:
        matrix: the samples; see as_matrix.

    Raises:
        InputError: at the first NaN or infinity, in the order of samples; the message names its position.

    Example:
        >>> check_finite(as_matrix([[1.0, 2.0], [3.0, float("nan")]]))
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: X[1, 1] is nan; features must be finite numbers
    """
    for start, chunk in chunks(matrix):
        check_chunk(matrix, start, chunk)


def check_chunk(matrix: Matrix, start: int, chunk: Any) -> None:
    """As check_finite, of the samples from `start` on."""
    values = chunk.data if sp.issparse(chunk) else chunk
    if values.dtype.kind != "f":
        return
    usable = np.isfinite(as_doubles(values) if values.dtype.itemsize > 8 else values)
    if usable.all():
        return
    if sp.issparse(chunk):
        wrong, coo = np.flatnonzero(~usable), chunk.tocoo()
        at = wrong[np.lexsort((coo.col[wrong], coo.row[wrong]))[0]]
        sample, feature, value = int(coo.row[at]), int(coo.col[at]), coo.data[at]
    else:
        sample, feature = (int(i) for i in np.argwhere(~usable)[0])
        value = chunk[sample, feature]
    raise unusable(matrix, start + sample, feature, value)
