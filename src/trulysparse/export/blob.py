"""Blobs: what a device trains on. `trulysparse.load` reads what it sends back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.export.source import source_of
from trulysparse.io.blob_format import MAX_WIDTH
from trulysparse.io.blobs import blob_of_network

# struct ts_layer: five 32-bit numbers and nine pointers.
_LAYER_NUMBERS, _LAYER_POINTERS = 20, 9


def blob_of(model: Any) -> bytes:
    """A model as the bytes that the C runtime trains.

    Args:
        model: a SparseMLP of any storage, a FrozenMLP, a Policy, an agent of rl/ (its policy's network), or a fitted
            estimator (its `network_`).

    Returns:
        The blob: float32 weights by input neuron, biases, scaling, and a text with labels and names. Scaling is rounded
        to float32. Of a network that reads tables, it takes the preprocessor's outputs.

    Raises:
        InputError: for anything else; an activation of the user's own, tied ends, layers of more than 65,536 neurons.

    Example:
        >>> import trulysparse as ts
        >>> len(ts.export.blob_of(ts.SparseMLP((4, 8, 2), epsilon=1)))
        448
    """
    source = source_of(model)
    source.check_built_in()
    widest = max(source.net.layer_sizes)
    if widest > MAX_WIDTH:
        raise InputError(f"model has a layer of {widest} neurons; devices train layers of at most {MAX_WIDTH}")
    return blob_of_network(source.net).pack()


def save_blob(model: Any, path: str | os.PathLike[str]) -> int:
    """Writes a model as a blob, for a device that trains it.

    Args:
        model: see blob_of.
        path: of the file; one that is there is replaced as a whole.

    Returns:
        Bytes of the file.

    Raises:
        InputError: see blob_of; nothing is written then.
        OSError: where the file cannot be written; one that was there stays then.

    Example:
        >>> import tempfile
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = ts.export.save_blob(net, folder + "/net.blob")
        ...     same = ts.load(folder + "/net.blob")  # and what a device has saved
        >>> bool((same.layers[0].values == net.layers[0].values).all())
        True
    """
    data = blob_of(model)

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_whole(path, write)
    return len(data)


def train_memory(
    model: Any,
    *,
    velocity: str | None = "float32",
    batch: int = 1,
    target_network: bool = False,
    pointer_bytes: int = 4,
) -> int:
    """Bytes of RAM that training on a device takes, as its `ts_train_memory` counts them.

    Args:
        model: see blob_of, or a DeviceNetwork (whose layers then all have biases, but for a skip layer).
        velocity: type of the momentum, 'float32' or 'bfloat16'; None: no momentum.
        batch: samples of a step at most, 1 to 65,536.
        target_network: whether there is room for the target network of Q-learning.
        pointer_bytes: of the device: 4 or 8.

    Returns:
        The bytes of the block that the caller gives; ts_train itself and the stack not counted.

    Raises:
        InputError: where an argument is out of range; for a model, see blob_of.

    Example:
        >>> import trulysparse as ts
        >>> ts.export.train_memory(ts.SparseMLP((64, 100, 100, 10), epsilon=10))
        50172
    """
    if velocity is not None:
        checks.choice("velocity", velocity, ("float32", "bfloat16"))
    checks.integer("batch", batch, low=1, high=1 << 16)
    checks.integer("pointer_bytes", pointer_bytes, low=4, high=8)
    network = model if hasattr(model, "chain") and hasattr(model, "skip_layer") else source_of(model).net
    struct = -(-(_LAYER_NUMBERS + _LAYER_POINTERS * pointer_bytes) // pointer_bytes) * pointer_bytes
    weights = 4 + (0 if velocity is None else 4 if velocity == "float32" else 0) + 4 * target_network
    halves = 1 + (velocity == "bfloat16")
    total = len(network.layers) * struct + 16 * batch
    n_layers = len(network.layers)
    for number, layer in enumerate(network.layers):
        is_skip = number == n_layers - 1 and (getattr(layer, "skip", False) or getattr(network, "skip", False))
        count, biases = layer.n_connections, 0 if is_skip or not layer.bias.size else layer.n_out
        total += 4 * (layer.n_in + 1) + weights * count + halves * (count + count % 2) * 2
        total += 4 * biases * (1 + (velocity is not None) + target_network)
        total += 0 if is_skip else 4 * layer.n_out * batch
    return total
