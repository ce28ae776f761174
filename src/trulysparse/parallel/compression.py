"""Gradients in fewer bytes, for workers behind a network. Off by default: each loses something (docs/parallel.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, zeros


@dataclass(frozen=True)
class HalfValues:
    """Values in 16 bits, divided by `scale`, the largest of them."""

    values: NDArray[np.float16]
    scale: float

    @property
    def nbytes(self) -> int:
        """Bytes that travel."""
        return self.values.nbytes + 8

    def unpack(self, dtype: np.dtype[np.floating]) -> Floats:
        """The gradient along all connections."""
        return self.values.astype(dtype) * np.asarray(self.scale, dtype)


@dataclass(frozen=True)
class LargestValues:
    """The largest values and where they belong, of `size`."""

    values: Floats
    places: NDArray[np.uint32]
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes that travel."""
        return self.values.nbytes + self.places.nbytes

    def unpack(self, dtype: np.dtype[np.floating]) -> Floats:
        """The gradient along all connections, 0 where nothing travelled."""
        whole = zeros(self.size, dtype)
        whole[self.places] = self.values
        return whole


Packed: TypeAlias = Floats | HalfValues | LargestValues


class Compression(Protocol):
    """A way to pack a gradient."""

    error_feedback: bool

    def pack(self, gradient: Floats) -> Packed:
        """The packed gradient. Where error_feedback, `gradient` is left holding what did not travel."""


@dataclass(frozen=True)
class Half:
    """16 bits a value, relative to the largest: half the bytes, three significant digits."""

    error_feedback = False

    def pack(self, gradient: Floats) -> Packed:
        """See Compression."""
        scale = float(np.abs(gradient).max(initial=0.0))
        values = gradient / np.asarray(scale or 1.0, gradient.dtype)
        return HalfValues(values.astype(np.float16), scale)


@dataclass(frozen=True)
class TopK:
    """The share of each layer's values that is largest; the rest waits at the worker and is added to its next gradient
    (Aji and Heafield 2017; Lin et al. 2018). share: in (0, 1]; 8 bytes a value that travels."""

    share: float = 0.1
    error_feedback = True

    def __post_init__(self) -> None:
        checks.real("share", self.share, low=0, high=1, low_open=True)

    def pack(self, gradient: Floats) -> Packed:
        """See Compression."""
        keep = np.empty(len(gradient), np.uint8)
        count = min(len(gradient), max(1, round(self.share * len(gradient))))
        _kernels.keep_by_magnitude([gradient], len(gradient) - count, [keep], 1)
        places = np.flatnonzero(keep).astype(np.uint32)
        values = gradient[places]
        gradient[places] = 0
        return LargestValues(values, places, len(gradient))


def unpack(packed: Packed, dtype: np.dtype[np.floating]) -> Floats:
    """The gradient along all connections."""
    return packed if isinstance(packed, np.ndarray) else packed.unpack(dtype)
