"""Targets: labels in memory, or values that are read batch by batch as samples are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse._core.arrays import Floats
from trulysparse.data.matrix import InMemoryMatrix, Matrix, Reader, as_in_memory, chunks, unusable
from trulysparse.data.scaled_matrix import scaling_of
from trulysparse.data.scaling import Scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.errors import InputError

INT32 = np.iinfo(np.int32)
_SMALL = 1 << 20  # bytes
_ROUNDING = 1e-5  # by which values may be out of range that were in it before they were scaled
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def check_labels(y: ArrayLike, n_outputs: int) -> NDArray[np.int32]:
    """Labels as losses take them.

    Args:
        y: (n_samples,), whole numbers of any type.
        n_outputs: labels lie between 0 and n_outputs - 1.

    Returns:
        (n_samples,) int32.

    Raises:
        InputError: with the first position that is not usable.

    Example:
        >>> check_labels([0.0, 2.0], 3)
        array([0, 2], dtype=int32)
        >>> check_labels([0, 3], 3)
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: y[1] is 3; labels must lie between 0 and 2, one per output neuron
    """
    labels = y if type(y) is np.ndarray else _as_array(y)
    if labels.ndim != 1:
        shape = getattr(y, "shape", labels.shape)
        raise InputError(f"y must be one label per sample (1-dimensional), not of shape {shape}")
    kind = labels.dtype.kind
    if not (kind in "iub" or (kind == "f" and np.array_equal(labels, np.floor(labels)))):
        raise InputError(f"y must hold integer class labels, not {labels.dtype} with fractions or text")
    # Read as unsigned, what is negative is large.
    bare = labels.view(_UNSIGNED[labels.itemsize]) if kind == "i" and labels.dtype.isnative else labels
    if labels.size and (bare.max() >= n_outputs or (bare is labels and kind != "u" and labels.min() < 0)):
        at = int(np.flatnonzero((labels < 0) | (labels >= n_outputs))[0])
        raise InputError(
            f"y[{at}] is {labels[at]}; labels must lie between 0 and {n_outputs - 1}, one per output neuron"
        )
    return np.ascontiguousarray(labels, np.int32)


def check_values(
    y: Any, n_outputs: int, dtype: Any = np.float64, *, low: float = -np.inf, high: float = np.inf
) -> Values:
    """Values as losses take them, read in place.

    Args:
        y: (n_samples, n_outputs), anything that X may be: NumPy of any numeric type, memory map, SciPy sparse,
            DataFrame, a Matrix; (n_samples,) where there is one output.
        n_outputs: output neurons of the network.
        dtype: of the network, whose range they must keep to.
        low: the least value allowed.
        high: the largest value allowed.

    Returns:
        The values; all are checked but those in files, which are when they are loaded.

    Raises:
        InputError: with the first position that is not usable.

    Example:
        >>> values = check_values([[0.0, 0.5], [1.0, 0.25]], 2, np.float32, low=0, high=1)
        >>> out = np.empty((2, 4), np.float32)
        >>> values.reader().load(np.array([1]), out, threads=1)
        >>> out[:, 0].tolist()
        [1.0, 0.25]
    """
    matrix = _as_value_matrix(y, n_outputs)
    values = Values(matrix, y, low, high)
    if matrix.streamed:
        return values
    if type(y) is np.ndarray and y.nbytes <= _SMALL:  # a batch of a loop of one's own: nothing but the check
        values.check(matrix.x, range(matrix.n_samples), dtype)
        values.checked = True
        return values
    for start, chunk in chunks(matrix):
        values.check(chunk, range(start, start + chunk.shape[0]), dtype)
    # Duplicates of a sparse matrix add up to a value only when they are loaded.
    values.checked = not sp.issparse(matrix.x) or matrix.x.has_canonical_format
    return values


def as_targets(y: Any, n_outputs: int, dtype: Any = np.float64) -> Targets:
    """Targets by what y holds: a 1-dimensional array of integers is labels of any range, anything else values; see
    check_values."""
    if not (isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu"):
        return check_values(y, n_outputs, dtype)
    if y.size and (y.min() < INT32.min or y.max() > INT32.max):
        at = int(np.flatnonzero((y < INT32.min) | (y > INT32.max))[0])
        raise InputError(f"y[{at}] is {y[at]}; labels must lie between {INT32.min} and {INT32.max}")
    return np.ascontiguousarray(y, np.int32)


def check_lengths(n_samples: int, n_targets: int, x_name: str = "X", y_name: str = "y") -> None:
    """InputError where the numbers of samples and targets differ."""
    if n_samples != n_targets:
        raise InputError(f"{x_name} has {n_samples} samples, but {y_name} has {n_targets}")


class Values:
    """Targets that are values, (n_samples, n_outputs), wherever they lie.

    Args:
        matrix: reads them.
        given: what they were made from.
        low: the least value allowed.
        high: the largest value allowed.

    Attributes:
        checked: whether all are known to be finite and between low and high.
        is_input: whether they are the samples themselves.
        scaling: what is applied to them as they are loaded, before they are compared with low and high; or None.
    """

    def __init__(self, matrix: Matrix, given: Any, low: float = -np.inf, high: float = np.inf) -> None:
        self.matrix = matrix
        self.given = given
        self.scaling = scaling_of(matrix)
        self.low = low
        self.high = high
        self.checked = False
        self.is_input = False

    def __len__(self) -> int:
        return self.matrix.n_samples

    @property
    def limited(self) -> bool:
        """Whether there are values that are not allowed, beside those that are not finite."""
        return self.low > -np.inf or self.high < np.inf

    def as_input(self, matrix: Matrix) -> Self:
        """These values as the samples themselves, which `matrix` reads."""
        twin = copy(self)
        twin.matrix, twin.is_input = matrix, True
        return twin

    def shared_by(self, readers: int) -> Self:
        """See Matrix.shared_by."""
        twin = copy(self)
        twin.matrix = self.matrix.shared_by(readers)
        return twin

    def reader(self, order: NDArray[np.int64] | None = None) -> ValueReader:
        """See Matrix.reader."""
        return ValueReader(self, order)

    def check(self, chunk: Any, rows: Sequence[int] | NDArray[np.int64], dtype: Any) -> None:
        """Checks some of the values.

        Args:
            chunk: the values of the samples `rows`, (n, n_outputs), an array or a CSR array.
            rows: numbers of those samples.
            dtype: whose range they must keep to.

        Raises:
            InputError: at the first that is not finite in that type, or not between low and high.
        """
        stored = chunk if isinstance(chunk, np.ndarray) else chunk.data
        if not stored.size:
            return
        if stored.dtype.kind == "f":
            usable = np.isfinite(stored if stored.dtype == dtype else _narrowed(stored, dtype))
            if not usable.all():
                sample, output = _first(chunk, usable)
                raise unusable(self.matrix, int(rows[sample]), output, chunk[sample, output], dtype)
        slack = 0.0 if self.scaling is None else _ROUNDING
        low, high = self.low - slack, self.high + slack
        if self.limited and (stored.min() < low or stored.max() > high):
            sample, output = _first(chunk, (stored >= low) & (stored <= high))
            raise self._beyond(int(rows[sample]), output, chunk[sample, output])

    def check_loaded(self, rows: NDArray[np.int64], loaded: Floats, dtype: Any) -> None:
        """As check, of the samples `rows` as loaded, (n_outputs, columns), which are finite. What is known to be usable
        is not looked at again."""
        if not self.checked and (self.limited or dtype != loaded.dtype):
            self.check(loaded[:, : len(rows)].T, rows, dtype)

    def _beyond(self, sample: int, output: int, value: Any) -> InputError:
        name, row = self.matrix.origin(sample)
        where = f"{name}[{row}, {self.matrix.feature_name(output)}] is {value!s}"
        scaled = "" if self.scaling is None else " once it is scaled"
        return InputError(f"{where}{scaled}; targets of this loss must lie in [{self.low:g}, {self.high:g}]")


Targets: TypeAlias = NDArray[np.int32] | Values
"""Labels, (n_samples,), or values."""


class ValueReader:
    """Loads values, for one thread at a time. It opens the files they lie in when it first needs them.

    Args:
        values: the values.
        order: the samples that will be loaded, in that order; None: not known. With an order, use it in a `with`.
    """

    def __init__(self, values: Values, order: NDArray[np.int64] | None = None) -> None:
        self._values = values
        self._order = order
        self._context: AbstractContextManager[Reader] | None = None
        self._reader: Reader | None = None if values.matrix.streamed else values.matrix
        self._memory: Floats | None = None
        self._batch: Floats | None = None  # the part of the memory that has the last batch's shape

    @property
    def is_input(self) -> bool:
        """Whether they are the samples themselves."""
        return self._values.is_input

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._context is not None:
            self._context.__exit__(*error)
            self._context = self._reader = None

    def load(self, rows: NDArray[np.int64], out: Floats, threads: int, dtype: Any = None) -> None:
        """Fills `out` with values.

        Args:
            rows: numbers of the samples, int64, at most `columns` of them.
            out: float32 or float64, (n_outputs, columns); columns beyond the samples become 0.
            threads: how many threads to use.
            dtype: whose range they must keep to; None: that of `out`.

        Raises:
            InputError: at a value that is not usable.
        """
        if self._reader is None:
            self._context = self._values.matrix.reader(self._order)
            self._reader = self._context.__enter__()
        self._reader.load(rows, out, None, threads)
        self._values.check_loaded(rows, out, out.dtype if dtype is None else dtype)

    def are(self, x: Floats, z: Floats, scaling: Scaling | None) -> bool:
        """Whether the values of a batch are its laid-out input; arguments as of `batch`."""
        values = self._values
        return values.is_input and scaling is values.scaling and x.shape == z.shape and x.dtype == z.dtype

    def batch(
        self, rows: NDArray[np.int64], x: Floats, z: Floats, scaling: Scaling | None, threads: int, own: bool = False
    ) -> Floats:
        """The values of a batch: the laid-out input itself where they are the samples, scaled alike, else memory that
        the next batch overwrites.

        Args:
            rows: numbers of the samples, int64.
            x: those samples as loaded, (n_inputs, columns).
            z: an array of the type and shape that is wanted, (n_outputs, columns).
            scaling: what was applied to x.
            threads: how many threads to use.
            own: x will change: a copy in the place of x itself.

        Returns:
            (n_outputs, columns), 0 in columns beyond the samples.
        """
        same = self.are(x, z, scaling)
        if same:
            self._values.check_loaded(rows, x, x.dtype)
            if not own:
                return x
        out = self._batch
        if out is None or out.shape != z.shape or out.dtype != z.dtype:
            memory = self._memory
            if memory is None or memory.size < z.size or memory.dtype != z.dtype:
                out = np.empty_like(z)
                self._memory = out.reshape(-1)
            else:
                out = memory[: z.size].reshape(z.shape)
            self._batch = out
        if same:
            np.copyto(out, x)
        else:
            self.load(rows, out, threads)
        return out


def _as_array(y: ArrayLike) -> NDArray[Any]:
    if type(y) is np.ndarray or isinstance(y, np.memmap):  # asarray would make an array of a memory map
        return y
    try:
        return np.asarray(y)
    except ValueError:
        raise InputError("y must be an array of numbers: its rows differ in length") from None


def _as_value_matrix(y: Any, n_outputs: int) -> Matrix:
    if not isinstance(y, np.ndarray):
        if isinstance(y, InMemoryMatrix):
            y = y.x
        elif hasattr(type(y), "reader"):
            given: Matrix = y.called("y", "targets") if isinstance(y, StreamMatrix) else y
            if given.n_features != n_outputs:
                raise _wrong_shape((given.n_samples, given.n_features), n_outputs)
            return given
    if isinstance(y, np.ndarray) or not (sp.issparse(y) or (hasattr(y, "iloc") and hasattr(y, "columns"))):
        y = _as_array(y)
        if y.ndim == 1 and n_outputs == 1:
            y = y.reshape(-1, 1)
    if y.ndim != 2 or y.shape[1] != n_outputs:
        raise _wrong_shape(y.shape, n_outputs)
    matrix = as_in_memory(y, "y")
    matrix.what = "targets"
    return matrix


def _wrong_shape(shape: tuple[int, ...], n_outputs: int) -> InputError:
    return InputError(f"y must have shape (n_samples, {n_outputs}), one column per output neuron, not {shape}")


def _narrowed(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # what is beyond the range becomes infinite
        return values.astype(dtype)


def _first(chunk: Any, usable: NDArray[np.bool_]) -> tuple[int, int]:
    """(sample, output) of the first value that is not usable; usable: of the stored values where a chunk is sparse."""
    if not sp.issparse(chunk):
        sample, output = np.argwhere(~usable)[0]
        return int(sample), int(output)
    wrong, coo = np.flatnonzero(~usable), chunk.tocoo()
    at = wrong[np.lexsort((coo.col[wrong], coo.row[wrong]))[0]]
    return int(coo.row[at]), int(coo.col[at])
