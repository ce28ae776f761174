"""The end of phase 2: the average of networks whose topologies have evolved independently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trulysparse import _kernels
from trulysparse._core.arrays import Floats
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import KeepMask, NewConnections, nothing
from trulysparse.errors import InputError
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.mlp import SparseMLP


def average(nets: Sequence[SparseMLP], counts: Sequence[int], threads: int) -> SparseMLP:
    """The mean of the networks over the union of their connections, an absent connection counting as 0; layer l is
    then pruned back to counts[l] connections, by magnitude within each sign. Time and memory are linear in the number
    of connections (times log2 of the number of networks). Source: Curci, Mocanu and Pechenizkiy (2021), algorithm 1."""
    sizes = nets[0].layer_sizes
    for number, net in enumerate(nets):
        if net.layer_sizes != sizes:
            shapes = " and ".join("-".join(map(str, s)) for s in (sizes, net.layer_sizes))
            raise InputError(f"networks to average must have the same layers; networks 0 and {number} have {shapes}")
    layers = []
    for number, count in enumerate(counts):
        same = [net.layers[number] for net in nets]
        ptr, index, values = _sum([_rows(layer) for layer in same], threads)
        values *= 1 / len(nets)
        if len(index) > count:
            keep_mask = keep_within_signs(values, count, threads)
            added = nothing(len(ptr) - 1)
            ptr, index, (values,) = _kernels.rewire(ptr, index, keep_mask, *added, [values], None, threads)
        bias = np.stack([layer.bias for layer in same]).mean(axis=0, dtype=np.float64).astype(values.dtype)
        con = Connectivity.trusted(same[0].n_in, same[0].n_out, ptr, index, threads)
        layers.append(IndexedLayer(con, values, bias, same[0].activation))
    return nets[0].with_layers(layers)


def _rows(layer: IndexedLayer) -> tuple[NewConnections, Floats]:
    rows = layer.connectivity.by_input
    return (rows.ptr, rows.index), layer.values


def _sum(parts: list[tuple[NewConnections, Floats]], threads: int) -> tuple[np.ndarray, np.ndarray, Floats]:
    """The sum of sparse layers, pair by pair: each connection is visited at most log2(len(parts)) times, rounded up."""
    if len(parts) == 1:
        (ptr, index), values = parts[0]
        return ptr, index, values.copy()
    while len(parts) > 1:
        pairs = []
        for (a, a_values), (b, b_values) in zip(parts[::2], parts[1::2], strict=False):
            ptr, index, values = _kernels.add(*a, a_values, *b, b_values, threads)
            pairs.append(((ptr, index), values))
        parts = pairs + (parts[-1:] if len(parts) % 2 else [])
    (ptr, index), values = parts[0]
    return ptr, index, values


def keep_within_signs(values: Floats, count: int, threads: int) -> KeepMask:
    """The mask of the `count` values to keep: the largest of each sign, the same share of both (to rounding)."""
    negative = np.signbit(values)
    n_negative = int(np.count_nonzero(negative))
    remove = len(values) - count
    remove_negative = min(n_negative, round(remove * n_negative / len(values)))
    remove_negative = max(remove_negative, remove - (len(values) - n_negative))
    keep_mask = np.empty(len(values), np.uint8)
    for sign, n_removed in ((True, remove_negative), (False, remove - remove_negative)):
        indices = np.flatnonzero(negative == sign)
        mask_of_sign = np.empty(len(indices), np.uint8)
        _kernels.keep_by_magnitude([values[indices]], n_removed, [mask_of_sign], threads)
        keep_mask[indices] = mask_of_sign
    return keep_mask
