"""One safetensors file a model: connectivity, weights, biases, scaling and labels as tensors, all settings in
the metadata. No pickle; nothing in a file is executed. Layers are written and read one after the other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks, memory
from trulysparse._core.arrays import HELD, Stored, type_name
from trulysparse._core.progress import Progress, silent
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.connectivity.indexed import MAX_WIDTH
from trulysparse.data import Scaling
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.io.tensors import Tensor, TensorFile, opened, write_tensors
from trulysparse.nn import activations
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.indexed import OptimizerState
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.nn.network import SparseMLP

# One metadata entry, so that the same network gives the same bytes (several would come in any order).
ENTRY = "trulysparse"
VERSION = 1
_MOST_LABEL_BYTES = 1 << 30


def save(net: SparseMLP, path: str | os.PathLike[str], *, progress: Progress = silent) -> None:
    """Writes the network to a safetensors file. Tensors of layer l: layers.l.indptr and indices (CSR by output
    neuron), or, in compact networks, layers.l.tiles and places (see TiledConnectivity); weight (along them), bias.
    InputError, before anything is written, where the labels cannot be kept, OSError where the file cannot be written; a
    file that was there stays then."""
    config = settings(net)
    tensors = [tensor for number in range(len(net.layers)) for tensor in layer_tensors(net, number)]
    write_tensors(path, tensors + scaling_tensors(net), {ENTRY: json.dumps({"version": VERSION, **config})}, progress)


def settings(net: SparseMLP) -> dict[str, Any]:
    """All of the network that is not in a tensor."""
    return {
        "layer_sizes": net.layer_sizes,
        "epsilon": net.epsilon,
        **activations.settings(net.activation),
        "output": net.output,
        "init": net.init.rule,
        "fan": net.init.fan,
        "balance": net.init.balance,
        "dtype": str(net.dtype),
        "storage": net.storage_config.storage,
        "weights": net.storage_config.weights,
        "signals": net.storage_config.signals,
        "shifts": [layer.connectivity.shift for layer in net.layers] if net.storage_config.tiled else None,
        "seed": net.seed,
        "scaling": net.scaling.kind if net.scaling else "none",
        "labels": None if net.labels is None else label_settings(net.labels, net.layer_sizes[-1]),
    }


def label_settings(labels: Any, count: int) -> dict[str, Any]:
    """Labels as JSON keeps them, or InputError where they would not come back the same. Bytes are kept as Latin-1,
    times and spans of time as integers."""
    array = np.asarray(labels)
    kept: Any = array
    if array.dtype.kind in "Mm":
        kept = array.view(np.int64)
    elif array.dtype.kind == "S":
        kept = np.char.decode(array, "latin-1")
    found = {"dtype": array.dtype.str, "values": kept.tolist()}
    try:
        back = labels_of(json.loads(json.dumps(found)), count)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError):
        back = None
    if back is None or back.dtype != array.dtype or [*map(type, back.tolist())] != [*map(type, array.tolist())]:
        raise InputError(f"labels of type {array.dtype} cannot be kept in a file; use texts or numbers")
    return found


def labels_of(found: Any, count: int) -> NDArray[Any]:
    """The labels that `label_settings` gave, or InputError: one for each of `count` outputs, none twice."""
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("dtype"), str)
        or not isinstance(found.get("values"), list)
    ):
        raise InputError("labels must be a type and a list of values")
    kind, values = np.dtype(found["dtype"]), found["values"]
    if kind.kind not in "biufUSMmO":
        raise InputError(f"labels of type {kind} cannot be kept in a file; use texts or numbers")
    if any(isinstance(value, (list, dict)) for value in values):
        raise InputError("labels must be one-dimensional")
    if len(values) != count:
        raise InputError(f"{len(values)} labels for {count} output neurons")
    if kind.itemsize * count > _MOST_LABEL_BYTES:
        raise InputError(f"{count} labels of type {kind} are more than {_MOST_LABEL_BYTES >> 20} MiB")
    labels = np.array([v.encode("latin-1") for v in values] if kind.kind == "S" else values, dtype=kind)
    kept = labels.view(np.int64) if kind.kind in "Mm" else labels
    back = [v.decode("latin-1") for v in kept.tolist()] if kind.kind == "S" else kept.tolist()
    if back != values:
        raise InputError(f"labels do not fit their type {kind}")
    if len(set(values)) != len(values):
        twice = next(value for number, value in enumerate(values) if value in values[:number])
        raise InputError(f"label {twice!r} is there more than once")
    return labels


def layer_tensors(net: SparseMLP, number: int) -> list[Tensor]:
    """The tensors of one layer."""
    layer, prefix = net.layers[number], f"layers.{number}"
    con = layer.connectivity
    bias = Tensor.of(f"{prefix}.bias", layer.bias)
    if isinstance(con, TiledConnectivity):
        return [
            Tensor.of(f"{prefix}.tiles", con.ptr),
            Tensor.of(f"{prefix}.places", con.place),
            Tensor.of(f"{prefix}.weight", layer.values),
            bias,
        ]
    return [
        Tensor.of(f"{prefix}.indptr", con.indptr),
        Tensor.of(f"{prefix}.indices", con.indices),
        along_connections(layer, f"{prefix}.weight", layer.values),
        bias,
    ]


def along_connections(layer: Any, name: str, values: Stored) -> Tensor:
    """Values along a layer's connections, in the order of the file."""
    return Tensor(name, values.shape, type_name(values), lambda: layer.in_order(values))


def scaling_tensors(net: SparseMLP) -> list[Tensor]:
    """The tensors of the input's scaling."""
    if net.scaling is None:
        return []
    offset, factor = net.scaling.arrays()
    return [Tensor.of("scaling.shift", offset), Tensor.of("scaling.factor", factor)]


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> SparseMLP:
    """Reads a network that `save` wrote. folder: of a compact network too large for memory, whose layers then live in
    memory-mapped files there. Raises InputError where the file is missing, truncated, not one of ours, or does not hold
    together, NotEnoughMemoryError where it does not fit."""
    with opened(path, ENTRY, VERSION, "trulysparse model", progress) as file:
        storage_config = storage_config_of(file.config, folder)
        if folder is None:
            pointers = 16 * sum(_sizes(file.config))
            memory.require(
                file.nbytes + pointers, f"the network in {path}", "load it with folder=, into memory-mapped files"
            )
        return build(file.config, file, checks.thread_count(threads), storage_config)


def storage_config_of(config: dict[str, Any], folder: str | os.PathLike[str] | None = None) -> StorageConfig:
    """The storage_config that a file's settings name."""
    storage = config.get("storage", "indexed")
    weights, signals = config.get("weights"), config.get("signals")
    for name, kind in (("weights", weights), ("signals", signals)):
        if kind is not None or storage == "compact":
            checks.choice(name, kind, tuple(HELD))
    return StorageConfig.create(storage, weights, signals, folder, config["dtype"])


def build(
    config: dict[str, Any], file: TensorFile, threads: int, storage_config: StorageConfig | None = None
) -> SparseMLP:
    """The network with the given settings and the tensors of a file, or InputError. storage_config: where its arrays go; None:
    as the settings say, in memory."""
    sizes = _sizes(config)
    storage_config = storage_config or storage_config_of(config)
    connectivities: list[Connectivity | TiledConnectivity] = []
    values, biases = [], []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        prefix = f"layers.{number}"
        if storage_config.tiled:
            tiles, places = file.array(f"{prefix}.tiles", "int64"), file.array(f"{prefix}.places", "uint32")
            with _named(prefix):
                tiled = TiledConnectivity(n_in, n_out, _shift(config, number), tiles, places)
            connectivities.append(storage_config.settled(tiled, f"layer{number}"))
            weight = file.array(f"{prefix}.weight", storage_config.weights, len(places))
            values.append(storage_config.held(f"layer{number}.weight", weight))
        else:
            indptr = file.array(f"{prefix}.indptr", "int64", n_out + 1)
            indices = file.array(f"{prefix}.indices", "int32")
            with _named(prefix):
                connectivity, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
            connectivities.append(connectivity)
            values.append(file.array(f"{prefix}.weight", config["dtype"], len(indices))[order])
        biases.append(
            storage_config.held(f"layer{number}.bias", file.array(f"{prefix}.bias", storage_config.weights, n_out))
        )
    net = SparseMLP.from_layers(
        connectivities,
        values,
        biases,
        **_made(config),
        threads=threads,
        storage_config=storage_config,
    )
    if checks.choice("scaling", config["scaling"], KINDS) != "none":
        offset, factor = (file.array(f"scaling.{part}", "float64", sizes[0]) for part in ("shift", "factor"))
        net.scaling = Scaling(config["scaling"], offset, factor)
    if config["labels"] is not None:
        net.labels = labels_of(config["labels"], sizes[-1])
    return net


def _sizes(config: dict[str, Any]) -> list[int]:
    """layer_sizes of a file's settings, or InputError."""
    found = config["layer_sizes"]
    if not isinstance(found, list) or len(found) < 2:
        raise InputError(f"layer_sizes must list at least an input and an output layer, not {found!r}")
    return [checks.integer(f"layer_sizes[{i}]", n, low=1, high=MAX_WIDTH) for i, n in enumerate(found)]


def _shift(config: dict[str, Any], number: int) -> int:
    shifts = config["shifts"]
    if not isinstance(shifts, list) or len(shifts) != len(config["layer_sizes"]) - 1:
        raise InputError("shifts must list one number for each layer")
    return checks.integer(f"shifts[{number}]", shifts[number], low=0)


def _made(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a network that a file's settings name."""
    epsilon = config["epsilon"]
    if not isinstance(config["balance"], bool):
        raise InputError(f"balance must be true or false, not {config['balance']!r:.80}")
    return {
        "epsilon": None if epsilon is None else checks.real("epsilon", epsilon, low=0),
        "activation": activations.make_activation(config["activation"], config["alpha"]),
        "output": config["output"],
        "init": WeightInit(config["init"], config["fan"], config["balance"]),
        "seed": config["seed"],
    }


@contextmanager
def _named(prefix: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{prefix}: {error}") from None


def restore_order(layer: TiledLayer | Any, values: Stored) -> Stored:
    """Values that a file has along a layer's connections, in the order in which they lie in memory."""
    if isinstance(layer, TiledLayer):
        return values
    out = np.empty_like(values)
    out[layer.connectivity.position] = values
    return out


def open_layers(
    config: dict[str, Any], manifests: list[dict[str, Any]], storage_config: StorageConfig, threads: int | None
) -> tuple[SparseMLP, list[OptimizerState]]:
    """The network with the given settings whose layers live in the files that manifests name, and its optimizer
    state."""
    assert storage_config.folder is not None
    sizes = _sizes(config)
    net = SparseMLP.of_settings(
        sizes, **_made(config), dtype=config["dtype"], threads=threads, storage_config=storage_config
    )
    if not isinstance(manifests, list) or len(manifests) != len(sizes) - 1:
        raise InputError(f"layers must list {len(sizes) - 1} layers")
    optimizer_state = []
    for number, manifest in enumerate(manifests):
        last = number == len(manifests) - 1
        activation = activations.IDENTITY if last else net.activation.kernel(number + 1)
        with _named(f"layers[{number}]"):
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
