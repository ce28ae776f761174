"""An activation of the user's in the passes of a layer.

The kernels compute such a layer with the identity: pre-activations are kept, and the bits of dropout are drawn. What is
done here, block by block so that temporary arrays stay small, is the function, its derivative and dropout's zeros."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core.arrays import Floats, Stored, widened
from trulysparse.nn.activation_function import evaluate
from trulysparse.nn.activations_buffer import Activations

_BLOCK = 1 << 16  # values at a time


def apply_function(y: Activations, tiled: bool) -> None:
    """Ends a forward pass: fills y.values, which holds what the identity gave, with the function of the pre-activations
    and dropout. tiled: whether y's bits lie as those of tiled layers."""
    assert y.function is not None
    pre_activation = y.values if y.pre_activation is None else y.pre_activation
    for rows in _blocks(y.values):
        z = widened(pre_activation[rows])
        values = evaluate(y.function, "forward", z)
        if y.dropout_bits is not None:
            scale = z.dtype.type(1 / y.keep_probability)
            kept = _bits(y.dropout_bits, rows, y.values.shape[1], tiled)
            values = np.where(kept, values.astype(z.dtype, copy=False) * scale, z.dtype.type(0))
        _store(values, y.values[rows])


def multiply_derivative(x: Activations, dx: Stored) -> None:
    """Ends a backward pass: dx, the gradient at the function's values, becomes that at the pre-activation."""
    assert x.function is not None
    assert x.pre_activation is not None
    for rows in _blocks(dx):
        derivative = evaluate(x.function, "derivative", widened(x.pre_activation[rows]))
        _store(widened(dx[rows]) * derivative, dx[rows])


def _blocks(array: Stored) -> Iterator[slice]:
    """Rows of an array, some at a time. The bits of a block begin with a byte."""
    n, stride = array.shape
    size = max(16, _BLOCK // stride // 16 * 16)
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def _bits(bits: NDArray[np.uint8], rows: slice, stride: int, tiled: bool) -> NDArray[np.uint8]:
    """The bits of some rows, one value for each."""
    shape = rows.stop - rows.start, stride
    if tiled:
        start = rows.start * stride // 8
        return np.unpackbits(bits[start:], count=shape[0] * stride, bitorder="little").reshape(shape)
    each = int(_kernels.bit_stride(stride))
    part = bits[rows.start * each : rows.stop * each].reshape(shape[0], each)
    return np.unpackbits(part, axis=1, count=stride, bitorder="little")


def _store(values: Floats, to: Stored) -> None:
    """Writes float values as `to` holds them."""
    if to.dtype == np.uint16:
        _kernels.round_to(np.ascontiguousarray(values, np.float32).ravel(), to.ravel(), 1)
    else:
        np.copyto(to, values, casting="same_kind")
