"""Carries out a decision of a prune and a growth rule on one layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.evolution.view import Grown, Keep
from trulysparse.layers import Slots, SparseLayer

Move: TypeAlias = Callable[..., Any]
"""move(values, fresh=None): values along the old connections -> along the new ones."""


def rewire(layer: SparseLayer, slots: Slots, keep: Keep, grown: Grown, fresh: Floats, threads: int) -> None:
    """Connections with keep == 0 go, `grown` come with weights `fresh` and optimizer state zero; the others
    take weight and state along."""
    ptr, index, move = _merged(layer, keep, grown, threads)
    layer.values = move(layer.values, fresh)
    for i in range(len(slots.weight)):  # each old one goes before the next new one comes
        slots.weight[i] = move(slots.weight[i])
    layer.connectivity = Connectivity.from_inputs(layer.n_in, layer.n_out, ptr, index, threads)


def filtered(layer: SparseLayer, keep: Keep, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int32], Move]:
    """Row pointers and indices (by input) of what `keep` leaves, and how values move there."""
    nothing = np.zeros(layer.n_in + 1, np.int64), np.empty(0, np.int32)
    return _merged(layer, keep, nothing, threads)


def _merged(
    layer: SparseLayer, keep: Keep, grown: Grown, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], Move]:
    old = layer.connectivity.by_input
    ptr, index = _kernels.rewire_index(old.ptr, old.index, keep, *grown, threads)

    def move(values: Floats, fresh: Floats | None = None) -> Floats:
        moved: Floats = _kernels.rewire_values(old.ptr, old.index, keep, *grown, ptr, values, fresh, threads)
        return moved

    return ptr, index, move
