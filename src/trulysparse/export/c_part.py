"""What a C file is made of: arrays and code, whatever the type of the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

C_TYPES = {
    np.dtype(np.float32): "float",
    np.dtype(np.int8): "int8_t",
    np.dtype(np.uint8): "uint8_t",
    np.dtype(np.int16): "int16_t",
    np.dtype(np.uint16): "uint16_t",
    np.dtype(np.int32): "int32_t",
    np.dtype(np.uint32): "uint32_t",
}


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array of the C file.

    Args:
        name: in C.
        values: of a type in C_TYPES, one dimension, not empty.
        part: what the size table counts it as: 'weights', 'index', 'rows' (lengths, biases, scales and all else that
            a layer has once per output) or 'other'.
        layer: number of the layer that it belongs to; None: of the network as a whole.

    Example:
        >>> array = CArray("net_weight0", np.ones(3, np.float32), "weights", 0)
        >>> array.c_type, array.n_bytes
        ('float', 12)
    """

    name: str
    values: NDArray[Any]
    part: str
    layer: int | None = None

    @property
    def c_type(self) -> str:
        """The type of an element in C."""
        return C_TYPES[self.values.dtype]

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return int(self.values.nbytes)


@dataclass(frozen=True)
class CPart:
    """Arrays, the parts of the runtime that they need, and code.

    Args:
        arrays: constants, in the order of the file.
        runtime: names of files of c_runtime/, pasted once each, in this order.
        defines: macros defined before the runtime: it compiles only what they ask for.
        code: C text behind the arrays: static buffers and functions. It may refer to an array by its name, as if it
            were declared `static const c_type name[]`.
        public: prototypes of the functions of `code` that others call, one each, without semicolon.
        ram: bytes of static buffers.
        libm: functions of the C library's mathematics that the code calls.

    Example:
        >>> CPart((), (), (), "float f(void) { return 0.0f; }", ("float f(void)",), 0).libm
        ()
    """

    arrays: tuple[CArray, ...]
    runtime: tuple[str, ...]
    defines: tuple[str, ...]
    code: str
    public: tuple[str, ...]
    ram: int
    libm: tuple[str, ...] = field(default=())
