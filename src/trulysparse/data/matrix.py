"""X as users have it (NumPy array of any numeric type, memory map, SciPy sparse, DataFrame), read batch by
batch: never converted as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError

_CHUNK_BYTES = 32 << 20
_LOADED = frozenset(("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))


class Matrix(Protocol):
    """Samples x features, of which the network asks for batches and the scaling for chunks."""

    n_samples: int
    n_features: int
    x: Any
    """The samples as they were given (bool as uint8, sparse formats as CSR)."""
    streamed: bool
    """Whether samples are in files: values are then checked on their way in, not in a pass of their own."""

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        """Fills out (n_features x stride) with the samples `rows`, scaled; InputError at NaN or infinity."""

    def chunk(self, start: int, stop: int) -> Any:
        """Samples start to stop as a NumPy array or a CSR array."""

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The samples `rows` in a random order that this matrix can read well."""

    def reading(self, order: NDArray[np.int64]) -> AbstractContextManager[object]:
        """Within it, samples are loaded in this order, so that they may be read ahead."""

    def feature_name(self, feature: int) -> str:
        """How to name a feature to the user."""

    def origin(self, sample: int) -> tuple[str, int]:
        """(name of the set, row in it) where the user finds a sample: in the file that it is read from."""


class _Base:
    streamed = False
    n_samples: int
    n_features: int
    name: str

    def feature_name(self, feature: int) -> str:
        return str(feature)

    def origin(self, sample: int) -> tuple[str, int]:
        return self.name, sample

    def order(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        return rows[rng.permutation(len(rows))]

    def reading(self, order: NDArray[np.int64]) -> AbstractContextManager[object]:
        return nullcontext()

    def _refuse(self, sample: int, feature: int, value: object) -> InputError:
        return refusal(self.origin(sample), self.feature_name(feature), value)


class DenseMatrix(_Base):
    """A NumPy array or memory map, read in place whatever its strides. array: it, where kernels can read its type."""

    def __init__(self, x: NDArray[Any], name: str) -> None:
        self.x = x.view(np.uint8) if x.dtype == bool else x
        self.name = name
        self.n_samples, self.n_features = x.shape
        self.streamed = isinstance(x, np.memmap)
        direct = (
            self.x.dtype.str[1:] in _LOADED
            and self.x.dtype.isnative
            and (self.x.flags.c_contiguous or all(s % self.x.itemsize == 0 for s in self.x.strides))
        )
        self.array = self.x if direct else None

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        shift, factor = scaling.arrays() if scaling else (None, None)
        if self.array is not None:
            bad = _kernels.load_dense(self.array, rows, shift, factor, out, threads)
        else:
            batch = np.asarray(self.x[rows], dtype=np.float64)
            bad = _kernels.load_dense(batch, np.arange(len(rows)), shift, factor, out, threads)
        if bad >= 0:
            sample, feature = divmod(bad, self.n_features)
            raise self.refuse(int(rows[sample]) * self.n_features + feature)

    def refuse(self, position: int) -> InputError:
        """The error for a value that is not finite, at sample * n_features + feature."""
        sample, feature = divmod(position, self.n_features)
        return self._refuse(sample, feature, self.x[sample, feature])

    def chunk(self, start: int, stop: int) -> NDArray[Any]:
        return np.asarray(self.x[start:stop])


class SparseMatrix(_Base):
    """A SciPy sparse array; other formats than CSR become CSR once."""

    def __init__(self, x: Any, name: str) -> None:
        self.x = sp.csr_array(x)
        self.name = name
        self.n_samples, self.n_features = self.x.shape

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        shift, factor = scaling.arrays() if scaling else (None, None)
        batch = self.x[rows]
        bad = _kernels.load_sparse(
            batch.indptr.astype(np.int64),
            batch.indices.astype(np.int32, copy=False),
            batch.data.astype(out.dtype, copy=False),
            shift,
            factor,
            out,
            threads,
        )
        if bad >= 0:
            sample, feature = divmod(bad, self.n_features)
            raise self._refuse(int(rows[sample]), feature, batch[sample, feature])

    def chunk(self, start: int, stop: int) -> Any:
        return self.x[start:stop]


class FrameMatrix(_Base):
    """A DataFrame whose columns are all numbers."""

    def __init__(self, x: Any, name: str) -> None:
        self.x = x
        self.name = name
        self.n_samples, self.n_features = x.shape
        for column, dtype in zip(x.columns, x.dtypes, strict=True):
            if getattr(dtype, "kind", "O") not in "iufb":
                raise InputError(f"{name}: column '{column}' holds {dtype}, not numbers; encode or drop it")

    def feature_name(self, feature: int) -> str:
        return f"'{self.x.columns[feature]}'"

    def _numbers(self, frame: Any) -> NDArray[np.float64]:
        return np.ascontiguousarray(frame.to_numpy(dtype=np.float64, na_value=np.nan))

    def load(self, rows: NDArray[np.int64], out: Floats, scaling: Scaling | None, threads: int) -> None:
        batch = self._numbers(self.x.iloc[rows])
        try:
            DenseMatrix(batch, self.name).load(np.arange(len(rows)), out, scaling, threads)
        except InputError:
            sample, feature = (int(i) for i in np.argwhere(~np.isfinite(batch))[0])
            raise self._refuse(int(rows[sample]), feature, batch[sample, feature]) from None

    def chunk(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._numbers(self.x.iloc[start:stop])


def _dense(array: NDArray[Any], name: str) -> DenseMatrix:
    if array.ndim != 2:
        raise InputError(f"{name} must have shape (n_samples, n_features), not {array.shape}")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} must hold numbers, not {array.dtype}")
    return DenseMatrix(array, name)


def as_matrix(x: Any, name: str = "X") -> Matrix:
    """Wraps X; InputError where it is not two-dimensional, numeric and non-empty."""
    matrix: Matrix
    if isinstance(x, np.ndarray):  # asked first: single samples are a matter of microseconds
        matrix = _dense(x, name)
    elif hasattr(x, "load") and hasattr(x, "reading"):
        matrix = x
    elif sp.issparse(x):
        if x.dtype.kind not in "iufb":
            raise InputError(f"{name} must hold numbers, not {x.dtype}")
        matrix = SparseMatrix(x, name)
    elif hasattr(x, "iloc") and hasattr(x, "columns"):
        matrix = FrameMatrix(x, name)
    else:
        matrix = _dense(np.asarray(x), name)
    if matrix.n_samples == 0 or matrix.n_features == 0:
        raise InputError(f"{name} is empty: shape ({matrix.n_samples}, {matrix.n_features})")
    return matrix


def chunks(matrix: Matrix) -> Iterator[tuple[int, Any]]:
    """(first sample, chunk) over all samples, a bounded number of bytes at a time."""
    rows = max(1, _CHUNK_BYTES // (8 * matrix.n_features))
    for start in range(0, matrix.n_samples, rows):
        yield start, matrix.chunk(start, min(matrix.n_samples, start + rows))


def check_finite(matrix: Matrix) -> None:
    """InputError with the first position (in the order of samples) of a NaN or infinity."""
    for start, chunk in chunks(matrix):
        found = not_finite(chunk)
        if found is not None:
            sample, feature, value = found
            error = refusal(matrix.origin(start + sample), matrix.feature_name(feature), value)
            raise InputError(f"{error} (first such position)")


def not_finite(chunk: Any) -> tuple[int, int, Any] | None:
    """(sample, feature, value) of the first NaN or infinity in an array or a CSR array, or None."""
    values = chunk.data if sp.issparse(chunk) else chunk
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return None
    if sp.issparse(chunk):
        coo = chunk.tocoo()
        wrong = np.flatnonzero(~np.isfinite(coo.data))
        at = wrong[np.lexsort((coo.col[wrong], coo.row[wrong]))[0]]
        return int(coo.row[at]), int(coo.col[at]), coo.data[at]
    sample, feature = (int(i) for i in np.argwhere(~np.isfinite(chunk))[0])
    return sample, feature, chunk[sample, feature]


def refusal(origin: tuple[str, int], feature: str, value: object) -> InputError:
    """The error for a value that is not finite."""
    name, sample = origin
    return InputError(f"{name}[{sample}, {feature}] is {value}; features must be finite numbers")
