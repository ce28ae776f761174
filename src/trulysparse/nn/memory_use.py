"""Bytes that a network and its training will need, by part, before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from trulysparse import _kernels
from trulysparse._core.arrays import HELD
from trulysparse.connectivity.tiled import n_tiles, tile_shift
from trulysparse.nn.activations_buffer import bit_bytes, stored_layers
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.passes import tile_columns

# Per connection: input and output index, position of the weight, 4 bytes each; in tiles both in 4 bytes.
INDEX_BYTES, TILE_BYTES = 12, 4
# While a layer is drawn or evolved: the ranks (8 bytes), the fresh indices and the ordered copy.
BUILD_BYTES = 16


def network_parts(layer_sizes: Sequence[int], counts: Sequence[int], storage_config: StorageConfig) -> dict[str, int]:
    """Bytes of a network, by part.

    Args:
        layer_sizes: neurons per layer, input first.
        counts: connections per layer, those of a skip layer last.
        storage_config: how the layers are stored.

    Returns:
        Bytes of connectivity, weights and biases, and of the scratch while the largest layer is made.
    """
    item = HELD[storage_config.weights].itemsize
    ends = [*pairwise(layer_sizes), (layer_sizes[0], layer_sizes[-1])]
    pairs = list(zip(ends[: len(counts)], counts, strict=True))
    if storage_config.tiled:
        index = sum(TILE_BYTES * count + 8 * n_tiles(a, b, tile_shift(a, b, count)) for (a, b), count in pairs)
    else:
        index = sum(INDEX_BYTES * count + 8 * (a + b + 2) for (a, b), count in pairs)
    return {
        "connectivity": index,
        "weights": item * sum(counts),
        "biases": item * sum(layer_sizes[1:]),
        "scratch": BUILD_BYTES * max(counts),
    }


def network_bytes(layer_sizes: Sequence[int], counts: Sequence[int], storage_config: StorageConfig) -> int:
    """Peak bytes in memory to build a network: all connections and biases, plus the scratch of the largest layer. Of
    layers that live in files, the one at work."""
    parts = network_parts(layer_sizes, counts, storage_config)
    if storage_config.folder is not None:
        return parts["scratch"] + (TILE_BYTES + HELD[storage_config.weights].itemsize) * max(counts)
    return sum(parts.values())


def training_parts(
    layer_sizes: Sequence[int],
    n_connections: int,
    batch_size: int,
    n_slots: int,
    storage_config: StorageConfig,
    *,
    state: str | None = None,
    every: int = 1,
    micro_batch_size: int | None = None,
    whole: bool = False,
    summed: bool = False,
    pre_activations: bool = False,
) -> dict[str, int]:
    """Bytes that training adds, by part.

    Args:
        layer_sizes: neurons per layer, input first.
        n_connections: of the network.
        batch_size: samples per update.
        n_slots: values of optimizer state per parameter.
        storage_config: how the layers are stored.
        state: type of the optimizer state; None: that of the weights, or float32 where they are bfloat16.
        every: only the activations of each every-th layer stay, and those between two of them take turns.
        micro_batch_size: samples whose activations are in memory at a time; None: see passes.tile_columns.
        whole: whether some batches are taken whole, as evolution that looks at gradients does.
        summed: whether gradients are in arrays even where the batch is taken at once, as to clip them.
        pre_activations: whether the hidden layers' pre-activations are kept too.

    Returns:
        Bytes of activations, of pre-activations where they are kept, of bits, of optimizer state, and of arrays in
        which gradients are added up.
    """
    size = min(batch_size, micro_batch_size or tile_columns(layer_sizes))
    stride = int(_kernels.padded_batch(batch_size if whole else size))
    item, last = HELD[storage_config.signals].itemsize, len(layer_sizes) - 1
    wide = 8 if storage_config.signals == "float64" else 4
    stored = stored_layers(len(layer_sizes), every)
    hidden = item * stride * sum(n for number, n in enumerate(layer_sizes) if stored[number] and 0 < number < last)
    for turn in range(1, every):
        hidden += item * stride * max((layer_sizes[i] for i in range(turn, last, every)), default=0)
    slot = HELD[state].itemsize if state else (8 if storage_config.weights == "float64" else 4)
    n_parameters = n_connections + sum(layer_sizes[1:])
    return {
        "activations": hidden + wide * stride * (layer_sizes[0] + layer_sizes[-1]),
        **({"pre-activations": hidden} if pre_activations else {}),
        "activation bits": sum(bit_bytes(n, stride, storage_config.tiled) for n in layer_sizes[1:-1]),
        "optimizer state": n_parameters * n_slots * slot,
        "gradients": n_parameters * (8 if storage_config.weights == "float64" else 4) * (summed or size < batch_size),
    }


def training_bytes(
    layer_sizes: Sequence[int],
    n_connections: int,
    batch_size: int,
    n_slots: int,
    storage_config: StorageConfig,
    **settings: Any,
) -> int:
    """Bytes in memory that training adds; settings: see training_parts. The state of layers that live in files is there
    too."""
    parts = training_parts(layer_sizes, n_connections, batch_size, n_slots, storage_config, **settings)
    if storage_config.folder is not None:
        del parts["optimizer state"]
    return sum(parts.values())
