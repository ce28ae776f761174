"""Sizes of hidden layers as users give them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.errors import InputError


def hidden_sizes(sizes: Any) -> tuple[int, ...]:
    """Sizes of hidden layers.

    Args:
        sizes: a number of neurons, or a sequence of them.

    Raises:
        InputError: where they are neither.

    Example:
        >>> hidden_sizes(100), hidden_sizes([64, 32])
        ((100,), (64, 32))
    """
    if isinstance(sizes, Integral):
        sizes = (sizes,)
    listed = sizes.ndim == 1 if isinstance(sizes, np.ndarray) else isinstance(sizes, Sequence)
    if not listed or isinstance(sizes, str | bytes):
        raise InputError(f"hidden_layer_sizes must be an integer or a sequence of integers, not {sizes!r}")
    return tuple(checks.integer(f"hidden_layer_sizes[{i}]", size, low=1) for i, size in enumerate(sizes))
