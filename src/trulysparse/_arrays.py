"""Arrays for what grows with connections or activations: cache-line aligned and, from half a MiB on, on huge
pages where the system has them (random access to many rows is bound by address translation otherwise)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels

Floats: TypeAlias = NDArray[np.floating]


def empty(size: int, dtype: np.dtype[np.floating]) -> Floats:
    """`size` values, not set."""
    return _kernels.empty_bytes(size * dtype.itemsize).view(dtype)


def zeros(size: int, dtype: np.dtype[np.floating]) -> Floats:
    """`size` zeros."""
    array = empty(size, dtype)
    array.fill(0)
    return array
