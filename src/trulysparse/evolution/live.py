"""Live neurons, those that paths go through, and growth that stays among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.coordinates import Coordinates, KeepMask, NewConnections
from trulysparse.evolution.grow import Grow
from trulysparse.evolution.view import LayerView
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.optim import OptimizerState

Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Live:
    """Between which neurons of a layer a new connection lies on a path from an input to an output of the network.

    Args:
        inputs: (n_in,); input neurons that an input of the network reaches.
        outputs: (n_out,); output neurons that reach an output of the network.
    """

    inputs: Marks
    outputs: Marks


def live_neurons(layers: Sequence[IndexedLayer], keep_masks: Sequence[KeepMask | None]) -> list[Live]:
    """The live neurons of layers that follow one another.

    Args:
        layers: from input to output.
        keep_masks: of each, with which connections count; None: all do.

    Returns:
        One Live per layer. All inputs of the first layer and all outputs of the last are live.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution.live import live_neurons
        >>> net = ts.SparseMLP.from_matrices([np.array([[1.0], [0], [1]]), np.array([[0.0, 1, 1]])])
        >>> first, second = live_neurons(net.layers, [None, None])
        >>> first.outputs.tolist(), second.inputs.tolist()  # reach the output; are reached
        ([False, True, True], [True, False, True])
    """
    owners = [_owners(layer) for layer in layers]
    kept = [slice(None) if mask is None else mask > 0 for mask in keep_masks]
    reached: list[Marks] = [np.ones(layers[0].n_in, np.bool_)]
    for layer, owner, keep in zip(layers, owners, kept, strict=True):
        marks = np.zeros(layer.n_out, np.bool_)
        index = layer.connectivity.by_input.index[keep]
        marks[index[reached[-1][owner[keep]]]] = True
        reached.append(marks)
    reaching: list[Marks] = [np.ones(layers[-1].n_out, np.bool_)]
    for layer, owner, keep in zip(reversed(layers), reversed(owners), reversed(kept), strict=True):
        marks = np.zeros(layer.n_in, np.bool_)
        marks[owner[keep][reaching[-1][layer.connectivity.by_input.index[keep]]]] = True
        reaching.append(marks)
    return [Live(inputs, outputs) for inputs, outputs in zip(reached, reaching[-2::-1], strict=False)]


def revive(lives: Sequence[Live], wanted: Mapping[int, int], key: int) -> None:
    """Counts dead neurons, drawn at random, as live where the live ones have no room for their layer's connections: as
    many as give twice the room. They lie between two evolving layers, of which both may give them connections.

    Args:
        lives: of layers that follow one another; marks are added.
        wanted: connections of each evolving layer, by number: those that remain and those that grow.
        key: of the random stream.
    """
    between = [number for number in wanted if number + 1 in wanted]  # layers whose outputs may be revived
    widths = {number: int(np.count_nonzero(lives[number].outputs & lives[number + 1].inputs)) for number in between}
    before = dict(widths)
    for number, n_wanted in wanted.items():
        live = lives[number]
        n_in, n_out = int(np.count_nonzero(live.inputs)), int(np.count_nonzero(live.outputs))
        if n_in * n_out >= n_wanted:
            continue
        n_in, n_out = widths.get(number - 1, n_in), widths.get(number, n_out)
        for _ in range(64):  # the narrower side is doubled
            if n_in * n_out >= 2 * n_wanted:
                break
            if number in widths and (n_out <= n_in or number - 1 not in widths or n_in == len(live.inputs)):
                widths[number] = n_out = min(len(live.outputs), max(1, 2 * n_out))
            elif number - 1 in widths:
                widths[number - 1] = n_in = min(len(live.inputs), max(1, 2 * n_in))
    random = np.random.Generator(np.random.Philox(key=key))
    for number in between:
        outputs, inputs = lives[number].outputs, lives[number + 1].inputs
        dead = random.permutation(np.flatnonzero(~(outputs & inputs)))[: widths[number] - before[number]]
        outputs[dead] = inputs[dead] = True


def grow_among(grow: Grow, view: LayerView, live: Live) -> NewConnections:
    """What a growth rule chooses among the live neurons of a layer: it sees a layer of these alone. Where they have too
    few empty coordinates, uniformly random others join them.

    Args:
        grow: the rule.
        view: the layer, pruned; percolated, so that the connections that remain lie between live neurons.
        live: its live neurons.

    Returns:
        view.count empty coordinates of the whole layer.
    """
    inputs, outputs = np.flatnonzero(live.inputs), np.flatnonzero(live.outputs)
    if len(inputs) == view.layer.n_in and len(outputs) == view.layer.n_out:
        return _as_coordinates(grow(view))
    grown: Coordinates = np.zeros(view.layer.n_in + 1, np.int64), np.empty(0, np.int32)
    if len(inputs) and len(outputs):
        part = _part(view, live, inputs, outputs)
        part.count = min(view.count, part.n_empty)
        ptr, index = _as_coordinates(grow(part))
        sizes = np.zeros(view.layer.n_in, np.int64)
        sizes[inputs] = np.diff(ptr)
        grown = np.concatenate([[0], np.cumsum(sizes)]), outputs[index].astype(np.int32)
    missing = view.count - len(grown[1])
    return _merged(grown, _elsewhere(view, grown, missing), view.threads) if missing > 0 else grown


def _owners(layer: IndexedLayer) -> NDArray[np.int32]:
    """The input neuron of each connection."""
    return np.repeat(np.arange(layer.n_in, dtype=np.int32), np.diff(layer.connectivity.by_input.ptr))


def _part(view: LayerView, live: Live, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> LayerView:
    """The layer's live neurons and the connections between them as a layer of its own."""
    layer, state = view.layer, view.optimizer_state
    assert isinstance(layer, IndexedLayer)  # see Evolution.storages
    rows, owner = layer.connectivity.by_input, _owners(layer)
    inside = live.inputs[owner] & live.outputs[rows.index]
    number = np.cumsum(live.outputs, dtype=np.int32) - np.int32(1)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(owner[inside], minlength=layer.n_in)[inputs])])
    con = Connectivity.trusted(len(inputs), len(outputs), ptr, number[rows.index[inside]], view.threads)
    bias = layer.bias[outputs] if layer.bias.size else layer.bias
    return replace(
        view,
        layer=IndexedLayer(con, layer.values[inside], bias, layer.activation),
        optimizer_state=OptimizerState(
            [values[inside] for values in state.weight], [values[outputs] for values in state.bias if values.size]
        ),
        keep_mask=None if view.keep_mask is None else view.keep_mask[inside],
        x=None if view.x is None else view.x[inputs],
        dy=None if view.dy is None else view.dy[outputs],
    )


def _as_coordinates(grown: object) -> Coordinates:
    assert isinstance(grown, tuple)  # Uniform is for tiles
    return grown


def _elsewhere(view: LayerView, grown: Coordinates, count: int) -> Coordinates:
    """`count` uniformly random coordinates that neither remain nor have been chosen."""
    rows = view.layer.connectivity.by_input
    mask = np.ones(len(rows.index), np.uint8) if view.keep_mask is None else view.keep_mask
    taken = _kernels.rewire(rows.ptr, rows.index, mask, *grown, [], None, view.threads)[:2]
    return _kernels.sample_empty(*taken, view.layer.n_out, None, count, view.stream("elsewhere"), view.threads)


def _merged(first: Coordinates, second: Coordinates, threads: int) -> Coordinates:
    mask = np.ones(len(first[1]), np.uint8)
    ptr, index, _ = _kernels.rewire(*first, mask, *second, [], None, threads)
    return ptr, index
