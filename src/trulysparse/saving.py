"""One safetensors file a model: connectivity, weights, biases, scaling and labels as tensors, all settings in
the metadata. No pickle; nothing in a file is executed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trulysparse import _checks, _kernels, activations
from trulysparse.connectivity import Connectivity
from trulysparse.data import Scaling
from trulysparse.errors import InputError
from trulysparse.initialization import WeightInit
from trulysparse.network import SparseMLP

# One metadata entry, so that the same network gives the same bytes (several would come in any order).
ENTRY = "trulysparse"
VERSION = 1


def write_whole(path: str | os.PathLike[str], write: Callable[[Path], object]) -> None:
    """Calls write(temporary name beside `path`) and renames the result: `path` is either the old file or the
    whole new one, also where the disk is full or the process dies."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save(net: SparseMLP, path: str | os.PathLike[str]) -> None:
    """Writes the network to a safetensors file. Tensors of layer l: layers.l.indptr and indices (CSR by output
    neuron), weight (along them), bias. Raises OSError where the file cannot be written; a file that was there
    stays then."""
    tensors, config = describe(net)
    write_tensors(path, tensors, {ENTRY: json.dumps({"version": VERSION, **config})})


def write_tensors(path: str | os.PathLike[str], tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """A safetensors file, whole or not at all."""

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error

    write_whole(path, write)


def describe(net: SparseMLP) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The network as tensors and settings."""
    config: dict[str, Any] = {
        "layer_sizes": net.layer_sizes,
        "epsilon": net.epsilon,
        **activations.settings(net.activation),
        "output": net.output,
        "init": net.init.rule,
        "fan": net.init.fan,
        "balance": net.init.balance,
        "dtype": str(net.dtype),
        "seed": net.seed,
        "scaling": net.scaling.kind if net.scaling else "none",
        "labels": None if net.labels is None else {"dtype": net.labels.dtype.str, "values": net.labels.tolist()},
    }
    tensors: dict[str, np.ndarray] = {}
    for number, layer in enumerate(net.layers):
        con = layer.connectivity
        tensors[f"layers.{number}.indptr"] = con.indptr
        tensors[f"layers.{number}.indices"] = con.indices
        tensors[f"layers.{number}.weight"] = layer.values[con.position]
        tensors[f"layers.{number}.bias"] = layer.bias
    if net.scaling is not None:
        tensors["scaling.shift"], tensors["scaling.factor"] = net.scaling.arrays()
    return tensors, config


def load(path: str | os.PathLike[str], *, threads: int | None = None) -> SparseMLP:
    """Reads a network that `save` wrote. Raises InputError where the file is missing, truncated, not one of
    ours, or does not hold together."""
    with opened(path, ENTRY, VERSION, "trulysparse model") as (config, tensor, names):
        return build(config, tensor, names, _checks.thread_count(threads))


Opened: TypeAlias = tuple[dict[str, Any], Callable[[str], np.ndarray], set[str]]
"""Settings, a function that reads a tensor, the tensors' names."""


@contextmanager
def opened(path: str | os.PathLike[str], entry: str, version: int, kind: str) -> Iterator[Opened]:
    """A safetensors file with settings under `entry` in its metadata. InputError, which names the file, where it is
    missing, truncated, of another kind or version, or where reading it finds that it does not hold together."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{kind} {path} does not exist")
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            if entry not in metadata:
                raise InputError(f"{path} is a safetensors file, but not a {kind}")
            config = json.loads(metadata[entry])
            if config.get("version") != version:
                raise InputError(
                    f"{path} has format version {config.get('version')}; this release reads version {version}"
                )
            yield config, file.get_tensor, set(file.keys())
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except SafetensorError as error:
        raise InputError(f"{path} is truncated or not a {kind} ({error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has damaged settings: {error!r}") from error


def build(config: dict[str, Any], tensor: Callable[[str], np.ndarray], names: set[str], threads: int) -> SparseMLP:
    """The network that `describe` took apart, or InputError."""
    sizes = [int(n) for n in config["layer_sizes"]]
    connectivities, values, biases = [], [], []

    def get(name: str, dtype: str, length: int | None = None) -> np.ndarray:
        if name not in names:
            raise InputError(f"tensor {name} is missing")
        array = tensor(name)
        if array.ndim != 1 or array.dtype != dtype or (length is not None and len(array) != length):
            raise InputError(f"tensor {name} is {array.dtype}{array.shape}, not {dtype} of length {length}")
        return np.ascontiguousarray(array)

    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        prefix = f"layers.{number}"
        indptr = get(f"{prefix}.indptr", "int64", n_out + 1)
        indices = get(f"{prefix}.indices", "int32")
        if indptr[0] != 0 or indptr[-1] != len(indices) or _kernels.first_invalid(indptr, indices, n_in) >= 0:
            raise InputError(f"{prefix}: indices are not ascending, unique and below {n_in} in each row")
        connectivity, order = Connectivity.from_outputs(n_in, n_out, indptr, indices, threads)
        connectivities.append(connectivity)
        values.append(get(f"{prefix}.weight", config["dtype"], len(indices))[order])
        biases.append(get(f"{prefix}.bias", config["dtype"], n_out))
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
    )
    if config["scaling"] != "none":
        shift, factor = (get(f"scaling.{part}", "float64", sizes[0]) for part in ("shift", "factor"))
        net.scaling = Scaling(config["scaling"], shift, factor)
    if config["labels"] is not None:
        net.labels = np.array(config["labels"]["values"], dtype=config["labels"]["dtype"])
        if len(net.labels) != sizes[-1]:
            raise InputError(f"{len(net.labels)} labels for {sizes[-1]} output neurons")
    return net
