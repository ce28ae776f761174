"""Percolation: connections that lead nowhere after removal are removed too."""

from __future__ import annotations

from collections.abc import Sequence

from trulysparse import _kernels
from trulysparse.connectivity.coordinates import KeepMask
from trulysparse.errors import InputError
from trulysparse.nn.layers.indexed import IndexedLayer


def percolate(layers: Sequence[IndexedLayer], keep_masks: Sequence[KeepMask | None], threads: int) -> list[int]:
    """Clears the marks of connections into neurons that have no outputs, from the last layer down, then of those out of
    neurons that have no inputs, from the first layer up. After that every hidden neuron between layers with marks has
    both or neither. The network's own inputs and outputs are never cut off. Time linear in connections.

    Args:
        layers: layers that follow one another: each has as many inputs as the one before has outputs.
        keep_masks: for each layer one mark per connection, in the order of connectivity.by_input, 1: it remains;
            changed in place. None: a layer that does not evolve; all its connections remain.
        threads: threads that the kernel may use.

    Returns:
        For each layer, how many marks were cleared.

    Raises:
        InputError: where there are not as many masks as layers, or layers do not follow one another.

    Source: Zhang et al., "Epitopological learning and Cannistraci-Hebb network shape intelligence brain-inspired theory
        for ultra-sparse advantage in deep learning", ICLR 2024, section 3 (removal of inactive neurons).

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution.percolation import percolate
        >>> net = ts.SparseMLP.from_matrices([np.eye(3), np.eye(3), np.eye(3)])
        >>> masks = [np.ones(3, np.uint8), np.array([0, 1, 1], np.uint8), np.ones(3, np.uint8)]
        >>> percolate(net.layers, masks, threads=1)
        [1, 0, 1]
        >>> [mask.tolist() for mask in masks]
        [[0, 1, 1], [0, 1, 1], [0, 1, 1]]
    """
    if len(layers) != len(keep_masks):
        raise InputError(
            f"keep_masks must have one mask, or None, for each of {len(layers)} layers, not {len(keep_masks)}"
        )
    for number in range(1, len(layers)):
        if layers[number].n_in != layers[number - 1].n_out:
            raise InputError(
                f"layers must follow one another: layers[{number - 1}] has {layers[number - 1].n_out} outputs, "
                f"layers[{number}] has {layers[number].n_in} inputs"
            )
    rows = [layer.connectivity.by_input for layer in layers]
    stages = [(each.ptr, each.index, layer.n_out) for each, layer in zip(rows, layers, strict=True)]
    return _kernels.percolate(stages, list(keep_masks), threads)
