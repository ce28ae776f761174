"""Carries out a decision of a prune and a growth rule on one layer."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import KeepMask, NewConnections, nothing
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState


@dataclass
class Change:
    """Connections with keep == 0 go; `grown` come with weights `fresh`. None: none grow."""

    keep: KeepMask | None
    grown: NewConnections | None = None
    fresh: Floats | None = None


def rewire(layer: IndexedLayer, optimizer_state: OptimizerState, change: Change, threads: int) -> None:
    """Carries out the change and empties it, so that its arrays are free before the largest step. Kept connections take
    weight and optimizer state along; the state of new ones is zero."""
    assert change.keep is not None
    old = layer.connectivity.by_input
    grown = nothing(layer.n_in) if change.grown is None else change.grown
    layer.connectivity.release_outputs()
    ptr, index, moved = _kernels.rewire(
        old.ptr, old.index, change.keep, *grown, [layer.values, *optimizer_state.weight], change.fresh, threads
    )
    layer.values, optimizer_state.weight[:] = moved[0], moved[1:]
    change.keep = change.grown = change.fresh = None
    del grown, moved
    layer.connectivity = Connectivity.trusted(layer.n_in, layer.n_out, ptr, index, threads)
