"""The set of connections of one layer, indexed both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.errors import InputError

MAX_WIDTH = 2**31 - 1
MAX_CONNECTIONS = 2**32 - 1  # positions are 32-bit


@dataclass(frozen=True)
class Rows:
    """Connections row by row: row r has columns index[ptr[r]:ptr[r + 1]].

    Args:
        ptr: row pointers, int64, one more than rows.
        index: column numbers, int32, ascending and each once within a row.
        long: int64; rows that the kernels cut into segments, so that threads share them.

    Example:
        >>> from trulysparse.connectivity import uniform
        >>> rows = uniform(3, 2, 6).by_input
        >>> rows.ptr.tolist(), rows.index.tolist()
        ([0, 2, 4, 6], [0, 1, 0, 1, 0, 1])
    """

    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    long: NDArray[np.int64]

    @staticmethod
    def of(ptr: NDArray[np.int64], index: NDArray[np.int32]) -> Rows:
        """Rows with their list of long rows."""
        return Rows(ptr, index, _kernels.long_rows(ptr))


def count_marked(rows: Rows, marked: NDArray[np.bool_], threads: int) -> NDArray[np.int64]:
    """How many of each row's connections lead to a marked neuron.

    Args:
        rows: connections row by row.
        marked: a mark per column.
        threads: at least 1.

    Returns:
        A count per row.
    """
    count = np.empty(len(rows.ptr) - 1, np.int64)
    _kernels.count_marked(rows.ptr, rows.index, marked.view(np.uint8), count, threads)
    return count


class Connectivity:
    """Which inputs each neuron of a layer is connected to, without the weights. Immutable: evolution makes a new one.

    Weights and optimizer state lie in the order of by_input, in which the backward pass updates them.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        by_input: Rows by input neuron: each one's outputs.
        threads: at least 1, for making by_output.

    Attributes:
        by_output: Rows by output neuron: each one's inputs. Made where it is missing, as is position.
        position: uint32; position[k] is the index in by_input of by_output's k-th connection.

    Raises:
        InputError: where the rows do not hold together.

    Example:
        >>> from trulysparse.connectivity import Connectivity
        >>> con = Connectivity.from_inputs(3, 2, [0, 1, 3, 3], [1, 0, 1], threads=1)
        >>> con.pattern().toarray().tolist()
        [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    """

    def __init__(self, n_in: int, n_out: int, by_input: Rows, *, threads: int) -> None:
        self._outputs: tuple[Rows, NDArray[np.uint32]] | None
        if not isinstance(by_input, Rows):
            raise InputError(f"by_input must be Rows, not {type(by_input).__name__}")
        self._set(n_in, n_out, by_input, None, checks.thread_count(threads))
        self.check()
        self.by_input = Rows.of(by_input.ptr, by_input.index)  # whatever it says of long rows
        self._outputs = self._transposed()

    def _set(
        self, n_in: int, n_out: int, by_input: Rows, outputs: tuple[Rows, NDArray[np.uint32]] | None, threads: int
    ) -> None:
        self.n_in = n_in
        self.n_out = n_out
        self.by_input = by_input
        self._threads = threads
        self._outputs = outputs

    def _transposed(self) -> tuple[Rows, NDArray[np.uint32]]:
        ptr, index, position = _kernels.transpose(self.by_input.ptr, self.by_input.index, self.n_out, self._threads)
        return Rows.of(ptr, index), position

    @property
    def threads(self) -> int:
        """Threads that make by_output where it is missing."""
        return self._threads

    @staticmethod
    def paired(
        n_in: int, n_out: int, by_input: Rows, outputs: tuple[Rows, NDArray[np.uint32]], threads: int
    ) -> Connectivity:
        """A connectivity of both indices, which are known to hold together. outputs: by_output and position."""
        con = Connectivity.__new__(Connectivity)
        con._set(n_in, n_out, by_input, outputs, threads)
        return con

    @staticmethod
    def from_inputs(n_in: int, n_out: int, ptr: ArrayLike, index: ArrayLike, threads: int) -> Connectivity:
        """From each input neuron's outputs.

        Args:
            n_in: inputs, 1 to 2^31 - 1.
            n_out: outputs, 1 to 2^31 - 1.
            ptr: n_in + 1 row pointers.
            index: output neurons, ascending and each once within a row.
            threads: at least 1.

        Returns:
            The connectivity.

        Raises:
            InputError: where the arrays do not hold together.
        """
        _check_widths(n_in, n_out)
        rows = _checked_rows(n_in, n_out, ptr, index, ("ptr", "index"))
        return Connectivity.trusted(n_in, n_out, *rows, checks.thread_count(threads))

    @staticmethod
    def trusted(
        n_in: int,
        n_out: int,
        ptr: NDArray[np.int64],
        index: NDArray[np.int32],
        threads: int,
        outputs: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint32]] | None = None,
    ) -> Connectivity:
        """As `from_inputs`, of rows that the kernels made: they are not checked again. outputs: by_output's ptr and
        index, and position, where they have been made too."""
        check_size(n_in, n_out, len(index))
        con = Connectivity.__new__(Connectivity)
        con._set(n_in, n_out, Rows.of(ptr, index), None, threads)
        con._outputs = con._transposed() if outputs is None else (Rows.of(*outputs[:2]), outputs[2])
        return con

    @staticmethod
    def from_outputs(
        n_in: int, n_out: int, indptr: ArrayLike, indices: ArrayLike, threads: int
    ) -> tuple[Connectivity, NDArray[np.uint32]]:
        """From each output neuron's inputs, as in a CSR matrix (n_out, n_in).

        Args:
            n_in: inputs, 1 to 2^31 - 1.
            n_out: outputs, 1 to 2^31 - 1.
            indptr: n_out + 1 row pointers.
            indices: input neurons, ascending and each once within a row.
            threads: at least 1.

        Returns:
            (connectivity, order); values[order] brings values in the given order into that of by_input.

        Raises:
            InputError: where the arrays do not hold together.
        """
        _check_widths(n_in, n_out)
        by_output = _checked_rows(n_out, n_in, indptr, indices, ("indptr", "indices"))
        threads = checks.thread_count(threads)
        ptr, index, order = _kernels.transpose(*by_output, n_in, threads)
        position = np.empty_like(order)
        position[order] = np.arange(len(order), dtype=np.uint32)
        con = Connectivity.__new__(Connectivity)
        con._set(n_in, n_out, Rows.of(ptr, index), (Rows.of(*by_output), position), threads)
        return con, order

    def check(self) -> None:
        """InputError where the arrays do not hold together."""
        _check_widths(self.n_in, self.n_out)
        rows = self.by_input
        for name, array, kind in (("ptr", rows.ptr, np.int64), ("index", rows.index, np.int32)):
            if not isinstance(array, np.ndarray) or array.dtype != kind or not array.flags.c_contiguous:
                given = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise InputError(f"by_input.{name} must be a contiguous array of {np.dtype(kind)}, not {given}")
        _checked_rows(self.n_in, self.n_out, rows.ptr, rows.index, ("by_input.ptr", "by_input.index"))

    def release_outputs(self) -> None:
        """Frees by_output and position, half of the index, before a successor needs the memory. They are made again
        when something asks for them."""
        self._outputs = None

    @property
    def by_output(self) -> Rows:
        """Rows by output neuron."""
        return self._both()[0]

    @property
    def position(self) -> NDArray[np.uint32]:
        """The index in by_input of each of by_output's connections."""
        return self._both()[1]

    def _both(self) -> tuple[Rows, NDArray[np.uint32]]:
        if self._outputs is None:
            self._outputs = self._transposed()
        return self._outputs

    @property
    def n_connections(self) -> int:
        """Number of connections."""
        return len(self.by_input.index)

    @property
    def density(self) -> float:
        """Connections as a share of n_in * n_out."""
        return self.n_connections / (self.n_in * self.n_out)

    @property
    def indptr(self) -> NDArray[np.int64]:
        """CSR row pointers by output neuron, n_out + 1."""
        return self.by_output.ptr

    @property
    def indices(self) -> NDArray[np.int32]:
        """CSR column indices (input neurons), ascending within a row."""
        return self.by_output.index

    def pattern(self) -> sp.csr_array:
        """A csr_array (n_out, n_in) of float64 with a one for each connection."""
        ones = np.ones(self.n_connections)
        return sp.csr_array((ones, self.indices.copy(), self.indptr.copy()), shape=(self.n_out, self.n_in))


def check_size(n_in: int, n_out: int, n_connections: int) -> None:
    """Raises InputError where a width or the number of connections is beyond the index types."""
    for name, width in (("inputs", n_in), ("outputs", n_out)):
        if width > MAX_WIDTH:
            raise InputError(f"a layer has {width} {name}; at most {MAX_WIDTH} (32-bit column indices) are possible")
    if n_connections > MAX_CONNECTIONS:
        raise InputError(f"a layer has {n_connections} connections; at most {MAX_CONNECTIONS} are possible")


def check_count(n_in: int, n_out: int, count: int, threads: int | None) -> int:
    """The number of threads to use, or InputError where a layer cannot have `count` connections."""
    checks.integer("n_in", n_in, low=1)
    checks.integer("n_out", n_out, low=1)
    checks.integer("count", count, low=0)
    if count > n_in * n_out:
        raise InputError(f"count is {count}, but a layer {n_in} x {n_out} has at most {n_in * n_out} connections")
    check_size(n_in, n_out, count)
    return checks.thread_count(threads)


def _check_widths(n_in: int, n_out: int) -> None:
    checks.integer("n_in", n_in, low=1, high=MAX_WIDTH)
    checks.integer("n_out", n_out, low=1, high=MAX_WIDTH)


def _checked_rows(
    rows: int, columns: int, ptr: ArrayLike, index: ArrayLike, names: tuple[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Row pointers and column numbers in the kernels' types, or InputError where they are no `rows` rows of columns
    below `columns`, ascending and each once. One pass over them; names: how to call them in an error."""
    pointers = _as_integers(names[0], ptr, np.dtype(np.int64))
    numbers = _as_integers(names[1], index, np.dtype(np.int32))
    check_size(rows, columns, len(numbers))
    if len(pointers) != rows + 1:
        raise InputError(f"{names[0]} must hold {rows + 1} row pointers, one more than neurons, not {len(pointers)}")
    if pointers[0] != 0 or pointers[-1] != len(numbers):
        raise InputError(
            f"{names[0]} must begin with 0 and end with the number of connections, {len(numbers)}, not with "
            f"{pointers[0]} and {pointers[-1]}"
        )
    if (pointers[1:] < pointers[:-1]).any():
        raise InputError(f"{names[0]} must not fall from one row to the next")
    wrong = _kernels.first_invalid(pointers, numbers, columns)
    if wrong >= 0:
        raise InputError(
            f"{names[1]} must be from 0 to {columns - 1}, ascending and unique in each row, but {names[1]}[{wrong}] is "
            f"{numbers[wrong]}"
        )
    return pointers, numbers


def _as_integers(name: str, values: Any, kind: np.dtype[Any]) -> NDArray[Any]:
    """One-dimensional whole numbers as a contiguous array of type `kind`, or InputError; no number changes."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{name} must be a one-dimensional array of integers, not {type(values).__name__}") from None
    if array.size == 0 and not isinstance(values, np.ndarray):
        array = array.astype(kind)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name} must be a one-dimensional array of integers, not {array.dtype} of shape {array.shape}"
        )
    if array.dtype != kind and len(array):
        limits = np.iinfo(kind)
        least, most = int(array.min()), int(array.max())
        if least < limits.min or most > limits.max:
            raise InputError(f"{name} holds {least if least < limits.min else most}, which is out of range")
    return np.ascontiguousarray(array, kind)
