"""The skip layer: a sparse layer from a network's inputs straight to its outputs, beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from trulysparse.connectivity import Connectivity, TiledConnectivity, uniform
from trulysparse.errors import InputError
from trulysparse.nn.activations import IDENTITY
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.storage import StorageConfig


def layer_pairs(layer_sizes: Sequence[int], skip: bool) -> list[tuple[int, int]]:
    """(inputs, outputs) of each layer, the skip layer's last.

    Args:
        layer_sizes: neurons per layer, input first, output last.
        skip: whether there is a skip layer.

    Returns:
        As many pairs as there are layers.

    Example:
        >>> from trulysparse.nn.skip import layer_pairs
        >>> layer_pairs((784, 1000, 10), skip=True)
        [(784, 1000), (1000, 10), (784, 10)]
    """
    return [*pairwise(layer_sizes), *([(layer_sizes[0], layer_sizes[-1])] if skip else [])]


def sizes_of(chain: Sequence[Layer]) -> tuple[int, ...]:
    """Neurons per layer of layers of which each is the input of the next."""
    return chain[0].n_in, *(layer.n_out for layer in chain)


def checked_skip(skip: Any, density: Any) -> bool:
    """Whether there is to be a skip layer; InputError where it is no truth value, or its density is for nothing."""
    if not isinstance(skip, bool | np.bool_):
        raise InputError(f"skip must be True or False, not {skip!r:.80}")
    if density is not None and not skip:
        raise InputError("skip_density is for a network with skip=True")
    return bool(skip)


def check_skip_layer(layer: Layer, number: int) -> None:
    """InputError where a layer has what a skip layer cannot have."""
    if layer.bias.size or layer.activation != IDENTITY:
        raise InputError(f"layers[{number}], the skip layer, must have neither biases nor an activation")


def new_skip_layer(
    layer_sizes: Sequence[int], count: int, storage_config: StorageConfig, *, seed: int, threads: int
) -> Layer:
    """A skip layer whose weights are 0: a network computes at its start what it would without.

    Args:
        layer_sizes: of the network.
        count: connections, drawn uniformly.
        storage_config: how it is stored, in memory.
        seed: of its connections.
        threads: to draw with.
    """
    n_in, n_out = layer_sizes[0], layer_sizes[-1]
    con: Connectivity | TiledConnectivity
    if storage_config.tiled:
        con = TiledConnectivity.draw(n_in, n_out, count, seed=seed, threads=threads)
    else:
        con = uniform(n_in, n_out, count, seed=seed, threads=threads)
    values, bias = (storage_config.zeros("skip", size) for size in (con.n_connections, 0))
    return storage_config.layer(con, values, bias, IDENTITY, "skip")
