"""The layers that an evolution acts on: of a network, or any others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import HELD, type_name
from trulysparse.errors import InputError
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tied import TiedLayer
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.nn.network import Network
from trulysparse.optim import OptimizerState

EvolvableLayers: TypeAlias = Network | Layer | Sequence[Layer]
"""A network, one layer, or layers that need not belong together."""
EvolvableLayer: TypeAlias = IndexedLayer | TiledLayer


def listed_layers(layers: EvolvableLayers) -> list[EvolvableLayer]:
    """The layers one by one.

    Args:
        layers: a network, a layer or a sequence of layers.

    Returns:
        The layers; their positions are their numbers.

    Raises:
        InputError: where it is none of these, or a layer's arrays do not hold together.
    """
    if isinstance(layers, Network):
        layers.check_layers()
        return list(layers.layers)
    every: list[Any] = [layers] if isinstance(layers, Layer) else checks.listed("layers", layers, "layers")
    for number, layer in enumerate(every):
        if not isinstance(layer, IndexedLayer | TiledLayer):
            raise InputError(f"layers[{number}] must be a layer, not {type(layer).__name__}")
        types = ("float32", "bfloat16" if layer.tiled else "float64")
        name = type_name(layer.values) if isinstance(layer.values, np.ndarray) else types[0]
        kind = HELD[name if name in types else types[0]]
        if problem := layer.problem(layer.n_in, layer.n_out, kind, " or ".join(types)):
            raise InputError(f"layers[{number}]{'' if problem[0] == '.' else ' '}{problem}")
    if any(isinstance(layer, TiedLayer) for layer in every):
        raise InputError("layers must be the network where its ends are tied")
    if len({id(layer) for layer in every}) < len(every):
        raise InputError("layers must not hold the same layer twice")
    return every


def evolving_layers(
    layers: EvolvableLayers, output_layer: bool, evolving: Sequence[int] | None = None
) -> dict[int, EvolvableLayer]:
    """The layers that evolve, by number.

    Args:
        layers: a network, a layer or a sequence of layers.
        output_layer: whether the layers that lead to a network's outputs evolve too: the last one and a skip layer. One
            that is tied to the first follows it in any case.
        evolving: numbers of the layers that evolve. None: of a network all, those to the outputs only with
            output_layer; of other layers all.

    Returns:
        The layers by number, in ascending order.

    Raises:
        InputError: where `evolving` holds something else than numbers of layers, each once.
    """
    every = listed_layers(layers)
    tied = isinstance(every[-1], TiedLayer)
    if evolving is None:
        last = len(layers.chain) - 1 if isinstance(layers, Network) and not output_layer else len(every) - tied
        return dict(enumerate(every[:last]))
    numbers = [
        checks.integer(f"evolving[{i}]", number, low=0, high=len(every) - 1)
        for i, number in enumerate(checks.listed("evolving", evolving, "numbers of layers"))
    ]
    if tied and len(every) - 1 in numbers:
        raise InputError(f"evolving must not name layer {len(every) - 1}, which is tied to layer 0 and follows it")
    if len(set(numbers)) < len(numbers):
        raise InputError(f"evolving must name each layer once, not {numbers}")
    return {number: every[number] for number in sorted(numbers)}


def consecutive_layers(layers: EvolvableLayers, what: str = "percolate") -> list[IndexedLayer]:
    """The layers as paths go through them, each taking the outputs of the one before: of a network without its skip
    layer.

    Args:
        layers: a network, a layer or a sequence of layers.
        what: needs them so; for messages.

    Returns:
        The layers, from input to output; their positions are their numbers.

    Raises:
        InputError: where one does not take the outputs of the one before, or is stored in tiles.
    """
    skip = layers.skip_layer if isinstance(layers, Network) else None
    chain: list[IndexedLayer] = []
    for number, layer in enumerate(each for each in listed_layers(layers) if each is not skip):
        if not isinstance(layer, IndexedLayer):
            raise InputError(f"{what} needs storage='indexed': layers[{number}] is stored in tiles")
        if chain and chain[-1].n_out != layer.n_in:
            raise InputError(
                f"{what} needs layers that follow one another: layers[{number}] has {layer.n_in} inputs, the one "
                f"before it {chain[-1].n_out} outputs"
            )
        chain.append(layer)
    return chain


def listed_states(
    layers: EvolvableLayers, optimizer_state: OptimizerState | Sequence[OptimizerState]
) -> list[OptimizerState]:
    """Optimizer state of each layer.

    Args:
        layers: a network, a layer or a sequence of layers.
        optimizer_state: of each of them; of a single layer also by itself.

    Returns:
        As many as there are layers.

    Raises:
        InputError: where there are more or fewer, or one does not lie along its layer's connections.
    """
    every = listed_layers(layers)
    states = [optimizer_state] if isinstance(optimizer_state, OptimizerState) else optimizer_state
    states = checks.listed("optimizer_state", states, "OptimizerState objects")
    if len(states) != len(every):
        raise InputError(
            f"optimizer_state must hold optimizer state of each of the {len(every)} layers, not of {len(states)}"
        )
    for number, (layer, state) in enumerate(zip(every, states, strict=True)):
        shape = (layer.n_updated,)
        if not isinstance(state, OptimizerState) or any(values.shape != shape for values in state.weight):
            raise InputError(f"optimizer_state[{number}] must hold values along {shape[0]} connections")
    return states


def init_of(layers: EvolvableLayers, init: WeightInit | None) -> WeightInit:
    """How weights of new connections are drawn: `init`, or as those of the network at its start, or as WeightInit()
    says."""
    if init is None:
        return layers.init if isinstance(layers, Network) else WeightInit()
    if not isinstance(init, WeightInit):
        raise InputError(f"init must be a WeightInit or None, not {init!r:.80}")
    return init
