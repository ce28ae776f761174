"""Percolation: connections that no path from an input to an output of the network goes through are removed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trulysparse.connectivity.coordinates import KeepMask
from trulysparse.nn.layers.indexed import IndexedLayer


def percolate(layers: Sequence[IndexedLayer], keep_masks: Sequence[KeepMask | None], threads: int) -> list[int]:
    """Clears marks of connections into neurons without outputs, backwards, then out of neurons without inputs,
    forwards."""
    cleared = [0] * len(layers)
    with_outputs = np.ones(layers[-1].n_out, np.bool_)
    for number in reversed(range(len(layers))):
        layer, mask = layers[number], keep_masks[number]
        rows = layer.connectivity.by_input
        kept = np.ones(layer.n_connections, np.bool_) if mask is None else mask > 0
        if mask is not None:
            stays = kept & with_outputs[rows.index]
            cleared[number] += int(np.count_nonzero(kept) - np.count_nonzero(stays))
            mask[:] = kept = stays
        owner = np.repeat(np.arange(layer.n_in, dtype=np.int32), np.diff(rows.ptr))
        with_outputs = np.bincount(owner[kept], minlength=layer.n_in) > 0
    with_inputs = np.ones(layers[0].n_in, np.bool_)
    for number, (layer, mask) in enumerate(zip(layers, keep_masks, strict=True)):
        rows = layer.connectivity.by_input
        kept = np.ones(layer.n_connections, np.bool_) if mask is None else mask > 0
        if mask is not None:
            owner = np.repeat(np.arange(layer.n_in, dtype=np.int32), np.diff(rows.ptr))
            stays = kept & with_inputs[owner]
            cleared[number] += int(np.count_nonzero(kept) - np.count_nonzero(stays))
            mask[:] = kept = stays
        with_inputs = np.bincount(rows.index[kept], minlength=layer.n_out) > 0
    return cleared
