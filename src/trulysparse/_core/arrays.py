"""Arrays for what grows with connections or activations: cache-line aligned and, from half a MiB on, on huge
pages where the system has them (random access to many rows is bound by address translation otherwise). bfloat16, which
NumPy does not know, is held in uint16."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels

Floats: TypeAlias = NDArray[np.floating]
Stored: TypeAlias = NDArray[Any]
"""float32 or float64, or bfloat16 in uint16."""

HELD: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "bfloat16": np.dtype(np.uint16),
}
"""How NumPy holds each type of value."""


def type_name(array: Stored) -> str:
    """The type of the values in an array: 'bfloat16' for uint16."""
    return "bfloat16" if array.dtype == np.uint16 else str(array.dtype)


def bytes_of(array: NDArray[Any]) -> memoryview:
    """The memory of a contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]  # arrays are buffers


def empty(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """`size` values, not initialised; MemoryError where there is no room for them."""
    if size * dtype.itemsize > sys.maxsize:
        raise MemoryError(f"{size} values of type {dtype} are more than can be addressed")
    return _kernels.empty_bytes(size * dtype.itemsize).view(dtype)


def zeros(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """`size` zeros."""
    array = empty(size, dtype)
    array.fill(0)
    return array


_EXPONENT = {2: 0x7F80, 4: 0x7F800000, 8: 0x7FF0000000000000}  # all ones in NaN and infinity


def not_finite(array: Stored) -> str | None:
    """'NaN' or 'infinity' where a contiguous array of floats (bfloat16 as uint16) holds one, else None. Works in
    blocks, to need little memory."""
    bits = array.reshape(-1).view(np.dtype(f"u{array.dtype.itemsize}"))
    mask = bits.dtype.type(_EXPONENT[array.dtype.itemsize])
    magnitude = bits.dtype.type((1 << (8 * array.dtype.itemsize - 1)) - 1)
    block = np.empty(1 << 15, bits.dtype)
    worst = 0
    for start in range(0, len(bits), len(block)):
        part = bits[start : start + len(block)]
        worst = max(worst, int(np.bitwise_and(part, magnitude, out=block[: len(part)]).max()))
    return None if worst < mask else "infinity" if worst == mask else "NaN"


def widened(array: Stored, threads: int = 1) -> Floats:
    """The values as floats: a bfloat16 array as float32, any other as it is."""
    if array.dtype != np.uint16:
        return array
    out = np.empty(array.shape, np.float32)
    _kernels.round_to(array.ravel(), out.ravel(), threads)
    return out


def store_samples(values: Stored, out: Floats, factor: NDArray[np.float64] | None = None, threads: int = 1) -> None:
    """Writes features x samples as samples x features.

    Args:
        values: (n_features, at least n_samples); bfloat16 too.
        out: (n_samples, n_features), contiguous.
        factor: (n_features,), what each feature is multiplied by; None: 1.
        threads: how many.
    """
    values = widened(values)
    if values.strides[1] != values.itemsize:  # lies as `out` does already
        np.multiply(values.T[: len(out)], 1 if factor is None else factor, out=out, casting="same_kind")
    else:
        _kernels.store_dense(values, factor, out, threads)


_KERNEL_TYPES = frozenset(("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))


def kernel_readable(array: NDArray[Any]) -> bool:
    """Whether kernels can read an array without a copy: a type they know, native and aligned, at strides of whole
    values."""
    whole = array.flags.c_contiguous or all(s % array.itemsize == 0 for s in array.strides)
    known = array.dtype.str[1:] in _KERNEL_TYPES and array.dtype.isnative
    return known and array.flags.aligned and whole


def as_doubles(array: Any) -> NDArray[np.float64]:
    """An array of any real type as float64; what is beyond its range becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(array, dtype=np.float64)
