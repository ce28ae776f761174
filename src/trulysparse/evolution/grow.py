"""Growth rules: where new connections of a layer go. Each returns them as rows by input neuron: (ptr, index)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.layers import SparseLayer

Grown: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]


def uniform(layer: SparseLayer, keep: NDArray[np.uint8], count: int, key: int, threads: int) -> Grown:
    """`count` distinct places that are empty once the prune rule has had its way (those just emptied
    included), every subset equally likely. Linear in the layer's connections."""
    rows = layer.connectivity.by_input
    ptr, index = _kernels.sample_empty(rows.ptr, rows.index, layer.n_out, keep, count, key, threads)
    return ptr, index
