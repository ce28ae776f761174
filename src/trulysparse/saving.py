"""One safetensors file a model: connectivity, weights, biases, scaling and labels as tensors, all settings in
the metadata. No pickle; nothing in a file is executed. Layers are written and read one after the other."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from typing import Any

import numpy as np

from trulysparse import _checks, _kernels, activations, memory
from trulysparse._arrays import Stored, type_name
from trulysparse.compact import CompactLayer
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.data import Scaling
from trulysparse.disk import DiskLayer
from trulysparse.errors import InputError
from trulysparse.initialization import WeightInit
from trulysparse.layers import Slots
from trulysparse.layout import Layout
from trulysparse.network import SparseMLP
from trulysparse.progress import Progress, silent
from trulysparse.tensors import Tensor, TensorFile, opened, write_tensors

# One metadata entry, so that the same network gives the same bytes (several would come in any order).
ENTRY = "trulysparse"
VERSION = 1


def save(net: SparseMLP, path: str | os.PathLike[str], *, progress: Progress = silent) -> None:
    """Writes the network to a safetensors file. Tensors of layer l: layers.l.indptr and indices (CSR by output
    neuron), or, in compact networks, layers.l.tiles and places (see TiledConnectivity); weight (along them), bias.
    Raises OSError where the file cannot be written; a file that was there stays then."""
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
        "storage": net.layout.storage,
        "weights": net.layout.weights,
        "signals": net.layout.signals,
        "shifts": [layer.connectivity.shift for layer in net.layers] if net.layout.compact else None,
        "seed": net.seed,
        "scaling": net.scaling.kind if net.scaling else "none",
        "labels": None if net.labels is None else {"dtype": net.labels.dtype.str, "values": net.labels.tolist()},
    }


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
    shift, factor = net.scaling.arrays()
    return [Tensor.of("scaling.shift", shift), Tensor.of("scaling.factor", factor)]


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
        layout = layout_of(file.config, folder)
        if folder is None:
            memory.require(file.nbytes, f"the network in {path}", "load it with folder=, into memory-mapped files")
        return build(file.config, file, _checks.thread_count(threads), layout)


def layout_of(config: dict[str, Any], folder: str | os.PathLike[str] | None = None) -> Layout:
    """The layout that a file's settings name."""
    storage = config.get("storage", "indexed")
    weights, signals = (config["weights"], config["signals"]) if storage == "compact" else (None, None)
    return Layout.make(storage, weights, signals, folder, config["dtype"])


def build(config: dict[str, Any], file: TensorFile, threads: int, layout: Layout | None = None) -> SparseMLP:
    """The network with the given settings and the tensors of a file, or InputError. layout: where its arrays go; None:
    as the settings say, in memory."""
    sizes = [int(n) for n in config["layer_sizes"]]
    layout = layout or layout_of(config)
    connectivities: list[Connectivity | TiledConnectivity] = []
    values, biases = [], []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        prefix = f"layers.{number}"
        if layout.compact:
            tiles, places = file.array(f"{prefix}.tiles", "int64"), file.array(f"{prefix}.places", "uint32")
            tiled = TiledConnectivity(n_in, n_out, int(config["shifts"][number]), tiles, places)
            _named(prefix, tiled)
            connectivities.append(layout.settled(tiled, f"layer{number}"))
            weight = file.array(f"{prefix}.weight", layout.weights, len(places))
            values.append(layout.held(f"layer{number}.weight", weight))
        else:
            indptr = file.array(f"{prefix}.indptr", "int64", n_out + 1)
            indices = file.array(f"{prefix}.indices", "int32")
            if indptr[0] != 0 or indptr[-1] != len(indices) or _kernels.first_invalid(indptr, indices, n_in) >= 0:
                raise InputError(f"{prefix}: indices are not ascending, unique and below {n_in} in each row")
            connectivity, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
            connectivities.append(connectivity)
            values.append(file.array(f"{prefix}.weight", config["dtype"], len(indices))[order])
        biases.append(layout.held(f"layer{number}.bias", file.array(f"{prefix}.bias", layout.weights, n_out)))
    net = SparseMLP.from_layers(
        connectivities,
        values,
        biases,
        epsilon=config["epsilon"],
        activation=activations.make(config["activation"], config["alpha"]),
        output=config["output"],
        init=WeightInit(config["init"], config["fan"], config["balance"]),
        seed=config["seed"],
        threads=threads,
        layout=layout,
    )
    if config["scaling"] != "none":
        shift, factor = (file.array(f"scaling.{part}", "float64", sizes[0]) for part in ("shift", "factor"))
        net.scaling = Scaling(config["scaling"], shift, factor)
    if config["labels"] is not None:
        net.labels = np.array(config["labels"]["values"], dtype=config["labels"]["dtype"])
        if len(net.labels) != sizes[-1]:
            raise InputError(f"{len(net.labels)} labels for {sizes[-1]} output neurons")
    return net


def _named(prefix: str, tiled: TiledConnectivity) -> None:
    try:
        tiled.check()
    except InputError as error:
        raise InputError(f"{prefix}: {error}") from None


def restore_order(layer: CompactLayer | Any, values: Stored) -> Stored:
    """Values that a file has along a layer's connections, in the order in which they lie in memory."""
    if isinstance(layer, CompactLayer):
        return values
    out = np.empty_like(values)
    out[layer.connectivity.position] = values
    return out


def open_layers(
    config: dict[str, Any], manifests: list[dict[str, Any]], layout: Layout, threads: int | None
) -> tuple[SparseMLP, list[Slots]]:
    """The network with the given settings whose layers live in the files that manifests name, and its optimizer
    state."""
    assert layout.folder is not None
    net = SparseMLP.of_settings(
        config["layer_sizes"],
        epsilon=config["epsilon"],
        activation=activations.make(config["activation"], config["alpha"]),
        output=config["output"],
        init=WeightInit(config["init"], config["fan"], config["balance"]),
        dtype=config["dtype"],
        seed=config["seed"],
        threads=threads,
        layout=layout,
    )
    slots = []
    for number, manifest in enumerate(manifests):
        last = number == len(manifests) - 1
        activation = activations.IDENTITY if last else net.activation.kernel(number + 1)
        layer, state = DiskLayer.opened(layout.folder, f"layer{number}", manifest, activation)
        net.layers.append(layer)
        slots.append(state)
    return net, slots
