"""What pictures need to know of a layer's connections, of either storage, without a copy of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.arrays import widened
from trulysparse._core.random import generator
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.mlp import SparseMLP

# Connections of a tiled layer that are looked at for its degrees; of larger layers a part of the neurons does.
MOST_READ = 50_000_000
# Connections in memory at a time.
_CHUNK = 1 << 20


class Degrees(NamedTuple):
    """How many connections neurons have.

    Attributes:
        inputs: of each output neuron, int64, (n_out,) or fewer where a part was looked at.
        outputs: of each input neuron, int64, (n_in,) or fewer.
        is_part: whether a part was looked at.
    """

    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    is_part: bool


def degrees(con: Connectivity | TiledConnectivity, most: int = MOST_READ) -> Degrees:
    """The degrees of a layer's neurons, of indexed connections and of those in tiles.

    Args:
        con: the layer's connectivity.
        most: connections that are looked at, about. Where tiles hold more, blocks of neurons evenly spread over the
            layer stand for all; the degrees of those are exact.

    Returns:
        The degrees.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report.connections import degrees
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0, storage="compact")
        >>> found = degrees(net.layers[0].connectivity)
        >>> bool(found.inputs.sum() == found.outputs.sum() == net.layers[0].n_connections)
        True
    """
    if isinstance(con, Connectivity):
        return Degrees(np.diff(con.by_output.ptr), np.diff(con.by_input.ptr), False)
    share = min(1.0, most / 2 / max(con.n_connections, 1)) if con.n_connections > most else 1.0
    found = []
    for n, tiles_of in ((con.n_out, _of_outputs), (con.n_in, _of_inputs)):
        blocks = ((n - 1) >> con.shift) + 1
        chosen = np.unique(np.linspace(0, blocks - 1, max(1, round(share * blocks))).astype(np.int64))
        found.append(np.concatenate(list(_block_degrees(con, chosen, tiles_of, n))))
    return Degrees(found[0], found[1], share < 1)


_TilesOf = Callable[[TiledConnectivity, NDArray[np.int64]], NDArray[np.int64]]


def _blocks_in(con: TiledConnectivity) -> int:
    return ((con.n_in - 1) >> con.shift) + 1


def _of_outputs(con: TiledConnectivity, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tiles of blocks of outputs, block after block: (blocks, tiles of each)."""
    return blocks[:, None] * _blocks_in(con) + np.arange(_blocks_in(con))


def _of_inputs(con: TiledConnectivity, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    return blocks[:, None] + np.arange(((con.n_out - 1) >> con.shift) + 1) * _blocks_in(con)


def _block_degrees(
    con: TiledConnectivity, blocks: NDArray[np.int64], tiles_of: _TilesOf, n: int
) -> Iterator[NDArray[np.int64]]:
    """The degrees of the neurons of some blocks, a few blocks at a time; n: of all neurons on that side."""
    width = 1 << con.shift
    per_block = max(1, con.n_connections * width // n)
    step = max(1, _CHUNK // per_block, (_CHUNK >> 4) // width)
    for start in range(0, len(blocks), step):
        some = blocks[start : start + step]
        counts = np.zeros(len(some) * width, np.int64)
        for tiles, place in _places(con, tiles_of(con, some)):
            inside = (place >> 16 if tiles_of is _of_outputs else place & 0xFFFF).astype(np.int64)
            counts += np.bincount(tiles * width + inside, minlength=len(counts))
        # The last block of a layer may be cut off.
        yield counts[np.flatnonzero(((some << con.shift)[:, None] + np.arange(width)).ravel() < n)]


def _places(con: TiledConnectivity, tiles: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint32]]]:
    """(row of `tiles`, packed coordinates) of the connections in some tiles, about _CHUNK at a time."""
    rows = np.repeat(np.arange(len(tiles)), tiles.shape[1])
    flat = tiles.ravel()
    begin, size = con.ptr[flat], con.ptr[flat + 1] - con.ptr[flat]
    # Pieces of tiles that add up to no more than _CHUNK connections, or single larger tiles.
    piece = np.cumsum(size) // _CHUNK
    bounds = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(flat)]
    for first, last in pairwise(bounds):
        sizes = size[first:last]
        ends = np.cumsum(sizes)
        if not len(ends) or not ends[-1]:
            continue
        index = np.arange(ends[-1]) + np.repeat(begin[first:last] - (ends - sizes), sizes)
        yield np.repeat(rows[first:last], sizes), con.packed[index]


def sampled(con: Connectivity | TiledConnectivity, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some connections, each as likely as any other, always the same ones; all where there are no more than `count`.

    Args:
        con: the layer's connectivity.
        count: how many, at least 1.

    Returns:
        (output neurons, input neurons), int64.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report.connections import sampled
        >>> net = ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
        >>> [len(side) for side in sampled(net.layers[0].connectivity, 5)]
        [5, 5]
    """
    n = con.n_connections
    if count >= n:
        chosen = np.arange(n)
    elif n < 4 * count:
        chosen = np.sort(generator(0, "picture").choice(n, count, replace=False))
    else:
        drawn = np.unique(generator(0, "picture").integers(0, n, 4 * count))
        chosen = np.sort(generator(1, "picture").choice(drawn, min(count, len(drawn)), replace=False))
    if isinstance(con, Connectivity):
        rows = np.searchsorted(con.by_input.ptr, chosen, side="right") - 1
        return con.by_input.index[chosen].astype(np.int64), rows.astype(np.int64)
    tile = np.searchsorted(con.ptr, chosen, side="right") - 1
    block_out, block_in = np.divmod(tile, _blocks_in(con))
    packed = con.packed[chosen].astype(np.int64)
    return (block_out << con.shift) + (packed >> 16), (block_in << con.shift) + (packed & 0xFFFF)


def input_strength(net: SparseMLP) -> NDArray[np.float64]:
    """The strength of each input: the sum of its |outgoing weights| in the first layer, of networks of any storage.

    Args:
        net: the network.

    Returns:
        float64 (n_inputs,).

    Source:
        Atashgahi et al., "Quick and robust feature selection: the strength of energy-efficient sparse training for
        autoencoders", Machine Learning 111 (2022).

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report.connections import input_strength
        >>> net = ts.SparseMLP.from_matrices([[[1.0, -2.0, 0.0], [0.0, 3.0, 0.0]]])
        >>> input_strength(net).tolist()
        [1.0, 5.0, 0.0]
    """
    strength = np.zeros(net.layer_sizes[0])
    for layer in (net.layers[0], *([net.skip_layer] if net.skip else [])):
        _add_strength(layer, strength)
    return strength


def _add_strength(layer: Layer, strength: NDArray[np.float64]) -> None:
    """Adds the sum of the absolute values of each input's outgoing weights."""
    con = layer.connectivity
    for start in range(0, con.n_connections, _CHUNK):
        stop = min(start + _CHUNK, con.n_connections)
        weights = np.abs(widened(layer.values[start:stop])).astype(np.float64)
        inputs = _inputs_of(con, start, stop)
        low = int(inputs.min())
        some = np.bincount(inputs - low, weights)
        strength[low : low + len(some)] += some


def _inputs_of(con: Any, start: int, stop: int) -> NDArray[np.int64]:
    """The input neurons of connections start to stop, in the order of the weights."""
    ptr = con.ptr if isinstance(con, TiledConnectivity) else con.by_input.ptr
    first, last = np.searchsorted(ptr, [start, stop - 1], side="right") - 1
    rows = np.repeat(np.arange(first, last + 1), np.diff(np.clip(ptr[first : last + 2], start, stop)))
    if isinstance(con, TiledConnectivity):
        return (rows % _blocks_in(con) << con.shift) + (con.packed[start:stop] & 0xFFFF)
    return rows
