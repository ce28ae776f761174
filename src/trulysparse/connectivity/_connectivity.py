"""The set of connections of one layer, indexed both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.errors import InputError

MAX_WIDTH = 2**31 - 1
MAX_CONNECTIONS = 2**32 - 1  # positions are 32-bit


@dataclass(frozen=True)
class Rows:
    """Connections row by row: row r has columns index[ptr[r]:ptr[r + 1]], ascending. `long` lists the rows
    that the kernels cut into segments."""

    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    long: NDArray[np.int64]

    @staticmethod
    def of(ptr: NDArray[np.int64], index: NDArray[np.int32]) -> Rows:
        """Rows with their list of long rows."""
        return Rows(ptr, index, _kernels.long_rows(ptr))


class Connectivity:
    """Which inputs each neuron of a layer is connected to, without the weights. Immutable: evolution makes
    a new one.

    by_input lists each input neuron's outputs, by_output each output neuron's inputs. Weights and optimizer
    state lie in the order of by_input, the order in which the backward pass updates them; position[k] is the
    place of by_output's k-th connection in that order. by_output and position are made where they are missing.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        by_input: Rows,
        outputs: tuple[Rows, NDArray[np.uint32]] | None = None,
        *,
        threads: int,
    ) -> None:
        """by_input: rows by input neuron. outputs: (by_output, position), where they are at hand."""
        self.n_in = n_in
        self.n_out = n_out
        self.by_input = by_input
        self._threads = threads
        self._outputs: tuple[Rows, NDArray[np.uint32]] | None = self._transposed() if outputs is None else outputs

    def _transposed(self) -> tuple[Rows, NDArray[np.uint32]]:
        ptr, index, position = _kernels.transpose(self.by_input.ptr, self.by_input.index, self.n_out, self._threads)
        return Rows.of(ptr, index), position

    @staticmethod
    def from_inputs(
        n_in: int, n_out: int, ptr: NDArray[np.int64], index: NDArray[np.int32], threads: int
    ) -> Connectivity:
        """From each input neuron's outputs (ptr: n_in + 1 row pointers, index: output neurons)."""
        check_size(n_in, n_out, len(index))
        return Connectivity(n_in, n_out, Rows.of(ptr, index), threads=threads)

    @staticmethod
    def from_outputs(
        n_in: int, n_out: int, indptr: NDArray[np.int64], indices: NDArray[np.int32], threads: int
    ) -> tuple[Connectivity, NDArray[np.uint32]]:
        """From CSR by output neuron; also the order that sorts values given that way into ours: values[order]."""
        check_size(n_in, n_out, len(indices))
        ptr, index, order = _kernels.transpose(indptr, indices, n_in, threads)
        position = np.empty_like(order)
        position[order] = np.arange(len(order), dtype=np.uint32)
        outputs = Rows.of(indptr, indices), position
        return Connectivity(n_in, n_out, Rows.of(ptr, index), outputs, threads=threads), order

    def release_outputs(self) -> None:
        """Frees by_output and position, half of the index, before a successor needs the memory. Who still asks for them
        has them made again."""
        self._outputs = None

    @property
    def by_output(self) -> Rows:
        """Rows by output neuron."""
        return self._both()[0]

    @property
    def position(self) -> NDArray[np.uint32]:
        """The place of by_output's connections in by_input."""
        return self._both()[1]

    def _both(self) -> tuple[Rows, NDArray[np.uint32]]:
        found = self._outputs
        if found is None:
            found = self._outputs = self._transposed()
        return found

    @property
    def n_connections(self) -> int:
        """How many connections there are."""
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
        """A one for each connection, a csr_array (n_out, n_in) of float64."""
        ones = np.ones(self.n_connections)
        return sp.csr_array((ones, self.indices.copy(), self.indptr.copy()), shape=(self.n_out, self.n_in))


def check_size(n_in: int, n_out: int, n_connections: int) -> None:
    """Raises InputError where a width or the number of connections is beyond the index types."""
    for name, width in (("inputs", n_in), ("outputs", n_out)):
        if width > MAX_WIDTH:
            raise InputError(f"a layer has {width} {name}; at most {MAX_WIDTH} (32-bit column indices) are possible")
    if n_connections > MAX_CONNECTIONS:
        raise InputError(f"a layer has {n_connections} connections; at most {MAX_CONNECTIONS} are possible")
