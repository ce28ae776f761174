"""The set of connections of one layer in tiles: one copy that both passes walk, 4 bytes per connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse.connectivity.indexed import MAX_WIDTH, check_size
from trulysparse.errors import InputError, NotIndexedError

# Connections per tile at which its bookkeeping costs little; and the smallest and largest blocks.
_WANTED, _LEAST, _MOST = 64, 6, _kernels.MAX_TILE_SHIFT


def tile_shift(n_in: int, n_out: int, count: int) -> int:
    """Blocks have 2^shift neurons: the smallest that give tiles enough connections, so that a block's sums stay in
    cache."""
    for shift in range(_LEAST, _MOST):
        if count >= _WANTED * n_tiles(n_in, n_out, shift):
            return shift
    return _MOST


def n_tiles(n_in: int, n_out: int, shift: int) -> int:
    """Tiles of an n_in x n_out layer."""
    return (((n_in - 1) >> shift) + 1) * (((n_out - 1) >> shift) + 1)


@dataclass(frozen=True)
class TiledConnectivity:
    """Connections in square tiles, between blocks of 2^shift neurons. Immutable: evolution makes a new one.

    Weights and optimizer state lie in the order of `packed`.

    Args:
        n_in: inputs, 1 to 2^31 - 1.
        n_out: outputs, 1 to 2^31 - 1.
        shift: log2 of a block's neurons, 6 to 16.
        ptr: int64; tile (o, i), between block o of outputs and block i of inputs, holds connections ptr[t] to
            ptr[t + 1] with t = o * blocks_in + i.
        packed: uint32; output << 16 | input of each connection, both within their block, ascending within a tile.

    Raises:
        InputError: where the arrays do not hold together. Every connection is checked, in one pass.

    Example:
        >>> from trulysparse.connectivity import TiledConnectivity
        >>> con = TiledConnectivity.draw(1000, 500, 3000, seed=0, threads=1)
        >>> con.n_connections, con.density
        (3000, 0.006)
        >>> rows, columns = con.coordinates()
        >>> bool(rows.max() < 500 and columns.max() < 1000)
        True
    """

    n_in: int
    n_out: int
    shift: int
    ptr: NDArray[np.int64]
    packed: NDArray[np.uint32]

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def trusted(cls, n_in: int, n_out: int, shift: int, ptr: NDArray[np.int64], packed: NDArray[np.uint32]) -> Self:
        """Of arrays that the kernels made or that have been checked: they are not looked at again."""
        con = cls.__new__(cls)
        con.__dict__.update(n_in=n_in, n_out=n_out, shift=shift, ptr=ptr, packed=packed)
        return con

    @staticmethod
    def draw(n_in: int, n_out: int, count: int, *, seed: int, threads: int) -> TiledConnectivity:
        """Draws connections, every set of `count` equally likely (Erdős-Rényi).

        Args:
            n_in: inputs, 1 to 2^31 - 1.
            n_out: outputs, 1 to 2^31 - 1.
            count: connections, 0 to n_in * n_out.
            seed: the same connections for a seed, whatever `threads`.
            threads: at least 1.

        Returns:
            The connectivity, in tiles of a size that suits them.

        Raises:
            InputError: where a layer is larger than index types allow.
        """
        check_size(n_in, n_out, count)
        shift = tile_shift(n_in, n_out, count)
        arrays = _kernels.draw_tiles(n_in, n_out, shift, count, seed, threads)
        return TiledConnectivity.trusted(n_in, n_out, shift, *arrays)

    def check(self) -> None:
        """InputError where the arrays do not hold together, as those of a damaged file may not."""
        checks.integer("n_in", self.n_in, low=1, high=MAX_WIDTH)
        checks.integer("n_out", self.n_out, low=1, high=MAX_WIDTH)
        checks.integer("shift", self.shift, low=_LEAST, high=_MOST)
        for name, kind in (("ptr", np.int64), ("packed", np.uint32)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 1:
                given = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise InputError(f"{name} must be a one-dimensional array of {np.dtype(kind)}, not {given}")
        check_size(self.n_in, self.n_out, len(self.packed))
        wanted = n_tiles(self.n_in, self.n_out, self.shift) + 1
        if len(self.ptr) != wanted:
            raise InputError(f"ptr must hold {wanted} pointers, one more than tiles, not {len(self.ptr)}")
        whole = self.ptr[0] == 0 and self.ptr[-1] == len(self.packed)
        if not whole or _kernels.first_invalid_tile(self.tiles) >= 0:
            raise InputError("its connections are not ascending, unique and in range in each tile")

    @cached_property
    def tiles(self) -> _kernels.Tiles:
        """What the kernels take: the same arrays."""
        return _kernels.Tiles(self.n_in, self.n_out, self.shift, self.ptr, self.packed)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles make `tiles` anew."""
        return {name: value for name, value in self.__dict__.items() if name != "tiles"}

    @property
    def n_connections(self) -> int:
        """Number of connections."""
        return len(self.packed)

    @property
    def density(self) -> float:
        """Connections as a share of n_in * n_out."""
        return self.n_connections / (self.n_in * self.n_out)

    def coordinates(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(output neurons, input neurons), int32, one of each per connection."""
        tile = np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))
        block_out, block_in = np.divmod(tile, ((self.n_in - 1) >> self.shift) + 1)
        rows = (block_out << self.shift) + (self.packed >> 16)
        columns = (block_in << self.shift) + (self.packed & 0xFFFF)
        return rows.astype(np.int32), columns.astype(np.int32)

    def matrix(self, values: NDArray[Any]) -> sp.csr_array:
        """Values along the connections as a csr_array (n_out, n_in)."""
        return sp.csr_array((values, self.coordinates()), shape=(self.n_out, self.n_in))

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("by_input", "by_output", "position", "indptr", "indices", "pattern", "release_outputs"):
            raise NotIndexedError(
                "this needs connections indexed by neuron, which storage='compact' does not keep: "
                "use net.indexed(), a copy with storage='indexed'"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
