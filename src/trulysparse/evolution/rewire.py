"""Carries out a decision of a prune and a growth rule on one layer."""

from __future__ import annotations

from trulysparse import _kernels
from trulysparse._arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.evolution.view import Grown, Keep
from trulysparse.layers import Slots, SparseLayer


def rewire(layer: SparseLayer, slots: Slots, keep: Keep, grown: Grown, fresh: Floats, threads: int) -> None:
    """Connections with keep == 0 go, `grown` come with weights `fresh` and optimizer state zero; the others
    take weight and state along."""
    old = layer.connectivity.by_input
    ptr, index = _kernels.rewire_index(old.ptr, old.index, keep, *grown, threads)

    def move(values: Floats, new: Floats | None) -> Floats:
        moved: Floats = _kernels.rewire_values(old.ptr, old.index, keep, *grown, ptr, values, new, threads)
        return moved

    layer.values = move(layer.values, fresh)
    for i, slot in enumerate(slots.weight):  # one at a time: the old one goes before the next comes
        slots.weight[i] = move(slot, None)
    layer.connectivity = Connectivity.from_inputs(layer.n_in, layer.n_out, ptr, index, threads)
