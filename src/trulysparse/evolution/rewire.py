"""Applies the decisions of a prune and a growth rule to one layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import KeepMask, NewConnections, nothing
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState

AT_ONCE = 3
"""Arrays that the kernel moves in one pass over the connections."""


@dataclass
class Change:
    """Connections whose keep_mask is 0 are removed; new_connections are added with new_weights. None: none grow."""

    keep_mask: KeepMask | None
    new_connections: NewConnections | None = None
    new_weights: Floats | None = None


def draw_fresh(layer: IndexedLayer, change: Change, init: WeightInit, key: int, threads: int) -> Floats:
    """Weights of new connections, at the scale that the layer's neurons have once the change is applied."""
    assert change.new_connections is not None
    outputs, scale = change.new_connections[1], init.scale(layer.connectivity, layer.activation)
    fan_in = None
    if scale.by_fan_in:
        fan_in = np.diff(layer.connectivity.indptr) + np.bincount(outputs, minlength=layer.n_out)
        if change.keep_mask is not None:
            gone = layer.connectivity.by_input.index[change.keep_mask == 0]
            fan_in -= np.bincount(gone, minlength=layer.n_out)
    return init.draw_new(outputs, fan_in, scale, layer.values.dtype, key, threads)


def rewire(layer: IndexedLayer, optimizer_state: OptimizerState, change: Change, threads: int) -> None:
    """Applies the change and empties it, so that its arrays are free before the largest step. Connections that remain
    keep weight and optimizer state; that of new ones is what optimizer_state.fresh says."""
    assert change.keep_mask is not None
    keep_mask, new_weights = change.keep_mask, change.new_weights
    old = layer.connectivity.by_input
    new = nothing(layer.n_in) if change.new_connections is None else change.new_connections
    layer.connectivity.release_outputs()
    moved: list[Floats] = [layer.values, *optimizer_state.weight]
    fill: list[float | None] = [None] * len(moved)  # None: the new connection's weight
    fill[1:] = optimizer_state.fresh_values(keep_mask, threads) if len(new[1]) else [0.0] * (len(moved) - 1)
    for group in _groups(moved, fill):
        ptr, index, arrays = _kernels.rewire(
            old.ptr,
            old.index,
            keep_mask,
            *new,
            [moved[n] for n in group],
            new_weights if fill[group[0]] is None else None,
            threads,
            [fill[n] or 0.0 for n in group],
        )
        for n, array in zip(group, arrays, strict=True):
            moved[n] = array
    layer.values, optimizer_state.weight[:] = moved[0], moved[1:]
    change.keep_mask = change.new_connections = change.new_weights = None
    del new, new_weights, keep_mask, moved, arrays
    layer.connectivity = Connectivity.trusted(layer.n_in, layer.n_out, ptr, index, threads)


def _groups(moved: Sequence[Floats], fill: Sequence[float | None]) -> list[list[int]]:
    """Which arrays one call of the kernel moves: of one type, and only the first with a value for each new
    connection."""
    groups: list[list[int]] = []
    for n, (array, start) in enumerate(zip(moved, fill, strict=True)):
        fits = [each for each in groups if len(each) < AT_ONCE and moved[each[0]].dtype == array.dtype]
        if fits and start is not None:
            fits[0].append(n)
        else:
            groups.append([n])
    return groups
