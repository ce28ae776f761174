"""Gradients in fewer bytes, for workers behind a slow network. Off by default: both methods are lossy
(docs/parallel.md)."""

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
    """Values in 16 bits, divided by `scale`, the largest magnitude among them."""

    values: NDArray[np.float16]
    scale: float

    @property
    def nbytes(self) -> int:
        """Bytes that are sent."""
        return self.values.nbytes + 8

    def unpack(self, dtype: np.dtype[np.floating]) -> Floats:
        """The gradient along all connections."""
        return self.values.astype(dtype) * np.asarray(self.scale, dtype)


@dataclass(frozen=True)
class LargestValues:
    """The values of largest magnitude and their indices among `size` values."""

    values: Floats
    indices: NDArray[np.uint32]
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes that are sent."""
        return self.values.nbytes + self.indices.nbytes

    def unpack(self, dtype: np.dtype[np.floating]) -> Floats:
        """The gradient along all connections, 0 where no value was sent."""
        gradient = zeros(self.size, dtype)
        gradient[self.indices] = self.values
        return gradient


Packed: TypeAlias = Floats | HalfValues | LargestValues


class Compression(Protocol):
    """A way to pack a gradient."""

    error_feedback: bool

    def pack(self, gradient: Floats) -> Packed:
        """The packed gradient. With error_feedback, what was left out remains in `gradient` (the residual)."""


@dataclass(frozen=True)
class Half:
    """Compresses gradients to 16 bits per value, relative to the largest: half the bytes, three significant digits.

    Example:
        >>> import numpy as np
        >>> from trulysparse.parallel import Half
        >>> packed = Half().pack(np.array([4.0, 1.0], np.float32))
        >>> packed.unpack(np.dtype(np.float32)).tolist(), packed.values.nbytes
        ([4.0, 1.0], 4)
    """

    error_feedback = False

    def pack(self, gradient: Floats) -> HalfValues:
        """Packs a gradient in 16 bits per value.

        Args:
            gradient: along a layer's connections, float32 or float64; it is not changed.

        Returns:
            The values and their scale; `unpack(dtype)` gives the gradient, `nbytes` the bytes sent.
        """
        scale = float(np.abs(gradient).max(initial=0.0))
        values = gradient / np.asarray(scale or 1.0, gradient.dtype)
        return HalfValues(values.astype(np.float16), scale)


@dataclass(frozen=True)
class TopK:
    """Compresses gradients to the values of largest magnitude of each layer, 8 bytes per value sent (float32).

    The residual stays at the worker and is added to its next gradient of the same shard (error feedback).

    Args:
        share: share of each layer's values that is sent, in (0, 1]; at least one value is.

    Raises:
        InputError: where share is outside (0, 1].

    Source:
        Aji and Heafield, "Sparse communication for distributed gradient descent", EMNLP 2017; Lin et al., "Deep
        gradient compression", ICLR 2018.

    Example:
        >>> import numpy as np
        >>> from trulysparse.parallel import TopK
        >>> gradient = np.array([0.1, -3.0, 0.2, 2.0], np.float32)
        >>> packed = TopK(share=0.5).pack(gradient)
        >>> packed.unpack(gradient.dtype).tolist()
        [0.0, -3.0, 0.0, 2.0]
        >>> [round(float(value), 1) for value in gradient]  # the residual
        [0.1, 0.0, 0.2, 0.0]
    """

    share: float = 0.1
    error_feedback = True

    def __post_init__(self) -> None:
        checks.real("share", self.share, low=0, high=1, low_open=True)

    def pack(self, gradient: Floats) -> LargestValues:
        """Packs the values of largest magnitude.

        Args:
            gradient: along a layer's connections, float32 or float64; it is left holding the residual.

        Returns:
            The values and their indices; `unpack(dtype)` gives the gradient, `nbytes` the bytes sent.
        """
        keep_mask = np.empty(len(gradient), np.uint8)
        count = min(len(gradient), max(1, round(self.share * len(gradient))))
        _kernels.keep_by_magnitude([gradient], len(gradient) - count, [keep_mask], 1)
        indices = np.flatnonzero(keep_mask).astype(np.uint32)
        values = gradient[indices]
        gradient[indices] = 0
        return LargestValues(values, indices, len(gradient))


def unpack(packed: Packed, dtype: np.dtype[np.floating]) -> Floats:
    """The gradient along all connections."""
    return packed if isinstance(packed, np.ndarray) else packed.unpack(dtype)
