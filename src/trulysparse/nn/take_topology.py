"""A network takes the topology of another one: its layers get the very connectivity objects, its weights move along."""

from __future__ import annotations

from collections.abc import Sequence

from trulysparse import _kernels
from trulysparse._core.arrays import Stored, empty
from trulysparse.errors import InputError
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.soft_update import check_fit


def take_topology(layers: Sequence[Layer], sources: Sequence[Layer], threads: int) -> int:
    """The work of Network.take_topology. What may fail comes before the first change.

    Args:
        layers: whose topology changes; they have passed their network's check.
        sources: likewise.
        threads: how many.

    Returns:
        Connections that are new.

    Raises:
        InputError: where the layers do not fit together, are tiled, or lie in files.
    """
    check_fit(layers, sources)
    if any(layer.tiled for layer in layers):
        raise InputError("take_topology works on networks with storage='indexed': use net.indexed()")
    taken: list[tuple[Layer, Layer, Stored]] = []
    new = 0
    for layer, source in zip(layers, sources, strict=True):
        con, other = layer.connectivity, source.connectivity
        if con is other:
            continue
        values = empty(source.n_connections, layer.values.dtype)
        ours, theirs = con.by_input, other.by_input
        carried = _kernels.carry(ours.ptr, ours.index, layer.values, theirs.ptr, theirs.index, values, threads)
        new += source.n_connections - carried
        taken.append((layer, source, values))
    for layer, source, values in taken:
        layer.connectivity, layer.values = source.connectivity, values
    return new
