"""Memory of tapes, which goes back to the network when neither a tape nor a view of its values is in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.passes import Layered
from trulysparse.nn.tile_pass import TilePass

# Memory that a network keeps for its next tapes.
_POOL_BYTES = 256 << 20


@dataclass(eq=False)
class TileMemory:
    """A tile's activations, and memory for the gradients at its output and input, made when needed."""

    tile: TilePass
    own_input: Activations
    nbytes: int
    dy: Floats | None = None
    dx: Floats | None = None

    def output_gradient(self) -> Floats:
        """For the gradient at the output, (n_outputs, columns)."""
        if self.dy is None:
            self.dy = np.empty_like(self.tile.signals[-1].values)
        return self.dy

    def input_gradient(self) -> Floats:
        """For the gradient at the input, (n_inputs, columns)."""
        if self.dx is None:
            self.dx = np.empty_like(self.tile.signals[0].values)
        return self.dx


class TapePool:
    """Memory that a network's tapes have given back, for its next ones: kernels' calls that were prepared for it stay
    valid."""

    def __init__(self) -> None:
        self._sizes: tuple[int, ...] = ()
        self._bytes = 0
        self._free: dict[tuple[int, float], list[TileMemory]] = {}

    def take(self, net: Layered, columns: int, keep_probability: float) -> TileMemory:
        """Memory for a tile."""
        if net.layer_sizes is not self._sizes:
            self._sizes, self._bytes, self._free = net.layer_sizes, 0, {}
        free = self._free.get((columns, keep_probability))
        try:
            memory = free.pop() if free else None
        except IndexError:  # another thread was faster
            memory = None
        if memory is None:
            signals = net.workspace().signals(columns, keep_probability)
            return TileMemory(TilePass(net, signals), signals[0], sum(signal.values.nbytes for signal in signals))
        self._bytes -= memory.nbytes
        memory.tile.net = net
        return memory

    def give_back(self, sizes: tuple[int, ...], columns: int, keep_probability: float, memory: TileMemory) -> None:
        """Keeps memory for the next tape, unless there is enough."""
        if sizes is self._sizes and self._bytes + memory.nbytes <= _POOL_BYTES:
            self._bytes += memory.nbytes
            memory.tile.signals[0] = memory.own_input  # it may have been another tape's
            del memory.tile.net  # which holds this pool: a circle would keep its memory until it is looked for
            self._free.setdefault((columns, keep_probability), []).append(memory)

    def __reduce__(self) -> tuple[type[TapePool], tuple[()]]:
        """Copies and pickles have memory of their own."""
        return TapePool, ()


class Lease:
    """Gives a tape's memory back once neither the tape nor a view of its values is in use."""

    def __init__(self, net: Layered, spans: Sequence[slice], keep_probability: float) -> None:
        self._pool, self._sizes, self._keep = net.tape_pool, net.layer_sizes, keep_probability
        self._columns = [int(_kernels.padded_batch(span.stop - span.start)) for span in spans]
        self.memory = [self._pool.take(net, columns, keep_probability) for columns in self._columns]

    def __del__(self) -> None:
        # The last first: the next tape of as many tiles takes them in the same order, and finds its calls prepared.
        pairs = list(zip(getattr(self, "_columns", ()), getattr(self, "memory", ()), strict=False))
        for columns, memory in reversed(pairs):
            self._pool.give_back(self._sizes, columns, self._keep, memory)


class _Held:
    """An array that holds on to a lease, as np.asarray takes it."""

    def __init__(self, array: NDArray[Any], lease: Lease) -> None:
        self.__array_interface__ = array.__array_interface__
        self._held = array, lease


def leased_view(array: NDArray[Any], lease: Lease) -> NDArray[Any]:
    """A view of an array that keeps a lease for as long as it, or a view of it, is in use."""
    return np.asarray(_Held(array, lease))
