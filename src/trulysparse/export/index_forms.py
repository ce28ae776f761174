"""How a layer says which inputs its connections read: in two bytes each, in one, or, of a full layer, not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceLayer

INDEX_FORMS = ("auto", "u16", "delta8")
MOST_INPUTS_U16 = 1 << 16
_LARGEST_STEP = 255

Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, eq=False)
class IndexedRows:
    """A layer's connections as a device reads them: a stream, output by output.

    Args:
        form: 'full', 'u16' or 'delta8'.
        length: (n_out,) int64, entries of each output in the stream; of 'delta8' bridges are counted.
        index: of 'u16' the input neurons, uint16; of 'delta8' the steps from one input neuron to the next, uint8, the
            first of each output from 0; of 'full' None.
        place: (n_connections,) int64, where each connection stands in the stream. What is at no place is a bridge: a
            connection of weight 0 that a step above 255 is divided by.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> weight = np.zeros((2, 600)); weight[1, [3, 590]] = 7
        >>> layer = ts.export.DeviceNetwork.of(ts.SparseMLP.from_matrices([weight])).layers[0]
        >>> rows = index_rows(layer, "delta8")
        >>> rows.index.tolist(), rows.length.tolist(), rows.stream(layer.weight).tolist()
        ([3, 255, 255, 77], [0, 4], [7.0, 0.0, 0.0, 7.0])
    """

    form: str
    length: NDArray[np.int64]
    index: NDArray[np.uint16] | NDArray[np.uint8] | None
    place: NDArray[np.int64]

    @property
    def n_stored(self) -> int:
        """Entries of the stream: connections and bridges."""
        return int(self.length.sum())

    def stream(self, values: NDArray[Kind]) -> NDArray[Kind]:
        """Values along the connections in the order of the stream, 0 at bridges.

        Args:
            values: (n_connections,), in the order of the layer.

        Returns:
            (n_stored,) of the same type.
        """
        stream = np.zeros(self.n_stored, values.dtype)
        stream[self.place] = values
        return stream


def index_rows(
    layer: DeviceLayer, index: str = "auto", *, weight_bytes: int = 4, name: str = "the layer"
) -> IndexedRows:
    """The connections of a layer in one of the forms.

    Args:
        layer: any; a full one needs no index, whatever `index` says.
        index: 'u16', 'delta8' or 'auto', the form of fewer bytes.
        weight_bytes: of a weight: a bridge takes as much, and a byte.
        name: how an error calls the layer.

    Returns:
        The connections.

    Raises:
        InputError: for another form, and of a layer of more than 65,536 inputs with 'u16'.

    Example:
        >>> import trulysparse as ts
        >>> layers = ts.export.DeviceNetwork.of(ts.SparseMLP((300, 100, 5), epsilon=4)).layers
        >>> [index_rows(layer).form for layer in layers]
        ['delta8', 'delta8']
    """
    checks.choice("index", index, INDEX_FORMS)
    length = np.diff(layer.ptr)
    if layer.full:
        return IndexedRows("full", length, None, np.arange(layer.n_connections))
    fits = layer.n_in <= MOST_INPUTS_U16
    if index == "u16" and not fits:
        raise InputError(
            f"index='u16' holds {MOST_INPUTS_U16:,} inputs, but {name} has {layer.n_in:,}; use 'delta8' or 'auto'"
        )
    bridges = _bridges(layer) if index != "u16" else np.zeros(0, np.int64)
    if index == "u16" or (index == "auto" and fits and bridges.sum() * (1 + weight_bytes) >= layer.n_connections):
        return IndexedRows("u16", length, layer.index.astype(np.uint16), np.arange(layer.n_connections))
    before = np.concatenate([[0], np.cumsum(bridges)])  # bridges before each connection
    place = np.arange(layer.n_connections) + before[1:]
    steps = np.full(layer.n_connections + int(before[-1]), _LARGEST_STEP, np.uint8)
    steps[place] = _gaps(layer) - _LARGEST_STEP * bridges
    return IndexedRows("delta8", length + np.diff(before[layer.ptr]), steps, place)


def length_type(rows: Sequence[IndexedRows]) -> np.dtype[np.unsignedinteger]:
    """The type that holds the lengths of all outputs of all layers that have an index.

    Args:
        rows: of each layer.

    Returns:
        uint8, uint16 or uint32: one type for the whole network, so that its code is there once.

    Example:
        >>> length_type([IndexedRows("u16", np.array([3, 256]), np.zeros(259, np.uint16), np.arange(259))])
        dtype('uint16')
    """
    most = max((int(each.length.max()) for each in rows if each.index is not None), default=0)
    return np.dtype(np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.uint32)


def _gaps(layer: DeviceLayer) -> NDArray[np.int64]:
    """From each connection's input to the next one's of the same output; of the first from 0."""
    index = layer.index.astype(np.int64)
    gaps = np.diff(index, prepend=0)
    first = layer.ptr[:-1][np.diff(layer.ptr) > 0]
    gaps[first] = index[first]
    return gaps


def _bridges(layer: DeviceLayer) -> NDArray[np.int64]:
    """How many bridges come before each connection."""
    return np.maximum(_gaps(layer) - 1, 0) // _LARGEST_STEP
