"""Makes networks from the settings and tensors of a file, which it checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import HELD, Stored
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.connectivity.counts import checked_epsilon
from trulysparse.connectivity.indexed import MAX_WIDTH
from trulysparse.data import Scaling
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.io.labels import labels_of
from trulysparse.io.table_state import restore_table
from trulysparse.io.tensors import Arrays
from trulysparse.nn import activations
from trulysparse.nn.activations import Activation
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.layers.tied import check_tied, checked_tied, transposed
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.nn.skip import checked_skip, layer_pairs
from trulysparse.optim import OptimizerState


def storage_config_of(config: dict[str, Any], folder: str | os.PathLike[str] | None = None) -> StorageConfig:
    """The storage that a file's settings name."""
    storage = config.get("storage", "indexed")
    weights, signals = config.get("weights"), config.get("signals")
    for name, kind in (("weights", weights), ("signals", signals)):
        if kind is not None or storage == "compact":
            checks.choice(name, kind, tuple(HELD))
    return StorageConfig.create(storage, weights, signals, folder, config["dtype"])


def build(
    config: dict[str, Any],
    file: Arrays,
    threads: int,
    storage_config: StorageConfig | None = None,
    activation: Activation | None = None,
) -> SparseMLP:
    """The network with the given settings and the tensors of a file.

    Args:
        config: the settings.
        file: the tensors.
        threads: of the network.
        storage_config: how and where its arrays are held; None: as the settings say, in memory.
        activation: the user's object where the settings name an activation that is not built in.

    Raises:
        InputError: where settings and tensors do not fit each other.
    """
    sizes = layer_sizes_of(config)
    storage_config = storage_config or storage_config_of(config)
    tied = checked_tied(config.get("tied", False), None, None)
    connectivities: list[Any] = []  # of Connectivity | TiledConnectivity
    values: list[Stored] = []
    biases: list[Stored] = []
    if tied:
        check_tied(sizes, skip=_skip(config), tiled=storage_config.tiled)
    for number, (n_in, n_out) in enumerate(layer_pairs(sizes, _skip(config))):
        prefix = f"layers.{number}"
        if tied and number == len(sizes) - 2:
            connectivities.append(transposed(first := connectivities[0]))
            values.append(values[0][first.position])
        elif storage_config.tiled:
            tiles, places = file.array(f"{prefix}.tiles", "int64"), file.array(f"{prefix}.places", "uint32")
            with _naming(prefix):
                tiled = TiledConnectivity(n_in, n_out, _shift(config, number), tiles, places)
            connectivities.append(storage_config.store_connectivity(tiled, f"layer{number}"))
            weight = file.array(f"{prefix}.weight", storage_config.weights, len(places))
            values.append(storage_config.store_array(f"layer{number}.weight", weight))
        else:
            indptr = file.array(f"{prefix}.indptr", "int64", n_out + 1)
            indices = file.array(f"{prefix}.indices", "int32")
            with _naming(prefix):
                connectivity, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
            connectivities.append(connectivity)
            values.append(file.array(f"{prefix}.weight", config["dtype"], len(indices))[order])
        bias = file.array(f"{prefix}.bias", storage_config.weights)
        if len(bias):  # a layer without biases has none
            bias = file.array(f"{prefix}.bias", storage_config.weights, n_out)
        biases.append(storage_config.store_array(f"layer{number}.bias", bias))
    settings = _network_settings(config, threads, storage_config, activation)
    net = SparseMLP.from_layers(connectivities, values, biases, settings)
    if checks.choice("scaling", config["scaling"], KINDS) != "none":
        shift, factor = (file.array(f"scaling.{part}", "float64", sizes[0]) for part in ("shift", "factor"))
        net.scaling = Scaling(config["scaling"], shift, factor)
    if config["labels"] is not None:
        net.labels = labels_of(config["labels"], sizes[-1])
    restore_table(net, config, file)
    return net


def layer_sizes_of(config: dict[str, Any]) -> list[int]:
    """layer_sizes of a file's settings, or InputError."""
    sizes = config["layer_sizes"]
    if not isinstance(sizes, list) or len(sizes) < 2:
        raise InputError(f"layer_sizes must list at least an input and an output layer, not {sizes!r}")
    return [checks.integer(f"layer_sizes[{i}]", n, low=1, high=MAX_WIDTH) for i, n in enumerate(sizes)]


def _shift(config: dict[str, Any], number: int) -> int:
    shifts = config["shifts"]
    if not isinstance(shifts, list) or len(shifts) != len(layer_pairs(config["layer_sizes"], _skip(config))):
        raise InputError("shifts must list one number for each layer")
    return checks.integer(f"shifts[{number}]", shifts[number], low=0)


def _skip(config: dict[str, Any]) -> bool:
    """Whether a file's network has a skip layer; files of releases that knew none do not say so."""
    return checked_skip(config.get("skip", False), None)


def _network_settings(
    config: dict[str, Any], threads: int | None, storage_config: StorageConfig, activation: Activation | None
) -> NetworkSettings:
    """What a network is besides its layers, from a file's settings."""
    epsilon = config["epsilon"]
    if not isinstance(config["balance"], bool):
        raise InputError(f"balance must be true or false, not {config['balance']!r:.80}")
    return NetworkSettings(
        epsilon=None if epsilon is None else checked_epsilon(epsilon, len(config["layer_sizes"]) - 1, low_open=False),
        activation=activations.restored_activation(config["activation"], config["alpha"], activation),
        output=config["output"],
        init=WeightInit(config["init"], config["fan"], config["balance"]),
        dtype=config["dtype"],
        seed=config["seed"],
        threads=threads,
        storage_config=storage_config,
        skip=_skip(config),
        tied=checked_tied(config.get("tied", False), None, None),
    )


@contextmanager
def _naming(prefix: str) -> Iterator[None]:
    """Puts `prefix` in front of the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{prefix}: {error}") from None


def restore_order(layer: TiledLayer | Any, values: Stored) -> Stored:
    """Values along a layer's connections, from the order of a file to that of memory."""
    if isinstance(layer, TiledLayer):
        return values
    ordered = np.empty_like(values)
    ordered[layer.connectivity.position] = values
    return ordered


def open_layers(
    config: dict[str, Any],
    manifests: list[dict[str, Any]],
    storage_config: StorageConfig,
    threads: int | None,
    own_activation: Activation | None = None,
) -> tuple[SparseMLP, list[OptimizerState]]:
    """The network with the given settings whose layers live in the files that manifests name, and its optimizer state.
    own_activation: see `build`."""
    assert storage_config.folder is not None
    sizes = layer_sizes_of(config)
    net = SparseMLP.without_layers(sizes, _network_settings(config, threads, storage_config, own_activation))
    if not isinstance(manifests, list) or len(manifests) != len(sizes) - 1:
        raise InputError(f"layers must list {len(sizes) - 1} layers")
    optimizer_state = []
    for number, manifest in enumerate(manifests):
        last = number == len(manifests) - 1
        activation = activations.IDENTITY if last else activations.on_layer(net.activation, number + 1)
        with _naming(f"layers[{number}]"):
            layer, state = MappedLayer.opened(
                storage_config.folder,
                f"layer{number}",
                manifest,
                sizes[number : number + 2],
                storage_config.weights,
                activation,
            )
        net.layers.append(layer)
        optimizer_state.append(state)
    return net, optimizer_state
