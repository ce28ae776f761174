"""Networks from and to blobs, the form in which devices have them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks, memory
from trulysparse._core.texts import pack
from trulysparse._kernels import Activation as Kind
from trulysparse.data import Scaling
from trulysparse.errors import InputError
from trulysparse.io.blob_format import MAGIC, Blob, BlobLayer, unpack
from trulysparse.io.model_reader import build
from trulysparse.io.model_writer import settings
from trulysparse.nn import activations
from trulysparse.nn.activations import BuiltIn, KernelActivation
from trulysparse.nn.mlp import SparseMLP

# What only Python needs of a network.
_KEPT = ("epsilon", "activation", "alpha", "init", "fan", "balance", "seed", "scaling", "labels")
_STARTED = {"epsilon": None, "init": "he_uniform", "fan": "sparse", "balance": False, "seed": 0, "labels": None}


def is_blob(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a blob does; False where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def load_blob(path: str | os.PathLike[str], threads: int | None = None) -> SparseMLP:
    """The network of a blob in a file.

    Args:
        path: of the file.
        threads: the network computes with; None: all of this machine's.

    Returns:
        The network, with labels and scaling; its momentum is not kept.

    Raises:
        InputError: where the file is not a whole blob of this version.
        NotEnoughMemoryError: where the network does not fit into memory.

    Example:
        >>> import tempfile
        >>> import trulysparse as ts
        >>> from trulysparse.io.blobs import load_blob
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = ts.export.save_blob(ts.SparseMLP((4, 8, 2), epsilon=1), folder + "/net.blob")
        ...     load_blob(folder + "/net.blob", threads=1).layer_sizes
        (4, 8, 2)
    """
    path, n_threads = Path(path), checks.thread_count(threads)
    memory.require(8 * path.stat().st_size, f"the network in {path}", "load it on a larger machine")
    try:
        return network_of(unpack(path.read_bytes()), n_threads)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} has damaged settings: {error!r}") from error


def blob_of_network(net: SparseMLP) -> Blob:
    """A network as a blob holds it.

    Args:
        net: indexed, with built-in activations.

    Returns:
        Copies of its weights and biases in float32.

    Raises:
        InputError: where it has tied ends, values beyond float32, or labels that cannot be kept.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.io.blobs import blob_of_network
        >>> blob_of_network(ts.SparseMLP((4, 8, 2), epsilon=1)).layers[0].weight.dtype
        dtype('float32')
    """
    if net.tied:
        raise InputError("the network has tied ends, which devices do not train; build it anew with tied=False")
    layers = []
    for number, layer in enumerate(net.layers):
        rows = layer.connectivity.by_input
        bias = float32(f"layers[{number}].bias", layer.bias) if layer.bias.size else None
        layers.append(
            BlobLayer(
                layer.n_in,
                layer.n_out,
                rows.ptr.astype(np.uint32),
                rows.index.astype(np.uint16),
                float32(f"layers[{number}].values", layer.values),
                bias,
                layer.activation,
            )
        )
    config = settings(net)
    text = {name: config[name] for name in _KEPT}
    if net.preprocessor is None and net.feature_names is not None:
        text["feature_names"] = list(net.feature_names)
    if net.target_scaling is not None:
        text["target_scaling"] = net.target_scaling.kind
    scaling, targets = _scaling("scaling", net.scaling), _scaling("target_scaling", net.target_scaling)
    return Blob(layers, net.output, net.skip, scaling, targets, text=text)


def network_of(blob: Blob, threads: int) -> SparseMLP:
    """The network that a blob holds.

    Args:
        blob: as `unpack` gives it.
        threads: of the network.

    Returns:
        The network. One that was drawn on a device, without a text, has He's rule for connections that grow later.

    Raises:
        InputError: where its text does not fit the network.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.io.blobs import blob_of_network, network_of
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=1)
        >>> bool((network_of(blob_of_network(net), 1).layers[0].values == net.layers[0].values).all())
        True
    """
    text, arrays = blob.text, _Arrays()
    config = _STARTED | {name: text[name] for name in _KEPT if name in text}
    config |= {"layer_sizes": blob.layer_sizes, "output": blob.output, "skip": blob.skip, "dtype": "float32"}
    config |= _activation(blob, config)
    for number, layer in enumerate(blob.layers):
        prefix, start = f"layers.{number}", layer.start.astype(np.int64)
        matrix = sp.csr_array((layer.weight, layer.index.astype(np.int64), start), shape=(layer.n_in, layer.n_out))
        by_output = matrix.tocsc()
        arrays.add(f"{prefix}.indptr", by_output.indptr, "int64")
        arrays.add(f"{prefix}.indices", by_output.indices, "int32")
        arrays.add(f"{prefix}.weight", by_output.data, "float32")
        arrays.add(f"{prefix}.bias", np.empty(0) if layer.bias is None else layer.bias, "float32")
    config["scaling"] = "none" if blob.scaling is None else text.get("scaling", "standard")
    if blob.scaling is not None and config["scaling"] == "none":
        raise InputError("it has a scaling, but its text says that it has none")
    if blob.target_scaling is not None:
        config["target_scaling"] = text.get("target_scaling", "standard")
    scalings: dict[str, Sequence[NDArray[Any]] | None] = {
        "scaling": blob.scaling,
        "target_scaling": blob.target_scaling,
    }
    for name, scaling in scalings.items():
        for part, values in zip(("shift", "factor"), () if scaling is None else scaling, strict=False):
            arrays.add(f"{name}.{part}", values, "float64")
    names = text.get("feature_names")
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError("feature_names must be a list of texts")
        config["feature_names"] = True
        packed: Sequence[NDArray[Any]] = pack(tuple(names))
        for part, array in zip(("bytes", "offsets"), packed, strict=True):
            arrays.add(f"feature_names.{part}", array, str(array.dtype))
    return build(config, arrays, threads)


class _Arrays:
    """What a reader of networks asks for, by name; see io.tensors.Arrays."""

    def __init__(self) -> None:
        self._found: dict[str, NDArray[Any]] = {}

    def add(self, name: str, array: NDArray[Any], kind: str) -> None:
        self._found[name] = np.ascontiguousarray(array, kind)

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        found = self._found[name]
        if found.dtype != kind or (length is not None and len(found) != length):
            raise InputError(f"{name} has {len(found)} values of type {found.dtype}, not {length} of type {kind}")
        return found


def float32(name: str, values: Any) -> NDArray[np.float32]:
    """A copy in float32, or InputError where it cannot hold the values."""
    with np.errstate(over="ignore"):
        found = np.array(values, np.float32)
    if not np.isfinite(found).all():
        raise InputError(f"{name} holds values that float32, in which devices compute, cannot hold")
    return found


def _scaling(name: str, scaling: Scaling | None) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if scaling is None:
        return None
    return float32(f"{name}.offset", scaling.offset), float32(f"{name}.factor", scaling.factor)


def _activation(blob: Blob, config: dict[str, Any]) -> dict[str, Any]:
    """The settings of the activation: those of the text where the layers have it, else what they have."""
    hidden = [layer.activation for layer in blob.layers[: len(blob.layers) - 1 - blob.skip]]
    candidates: list[BuiltIn] = []
    if "activation" in config:
        candidates.append(activations.make_activation(config["activation"], config.get("alpha")))  # type: ignore[arg-type]
    kind, slope = hidden[0] if hidden else (Kind.LEAKY, 0.0)
    if kind == Kind.LEAKY:
        if slope <= 0 and abs(slope) <= 1:
            candidates += [activations.ReLU(), activations.AllReLU(-slope)]
        elif slope <= 1:
            candidates.append(activations.LeakyReLU(slope))
    else:
        candidates.append(activations.make_activation(Kind(kind).name.lower()))  # type: ignore[arg-type]
    for found in candidates:
        if _same([found.kernel(number) for number in range(1, len(hidden) + 1)], hidden):
            return activations.settings(found)
    raise InputError("its layers have activations that no network of this library has")


def _same(a: Sequence[KernelActivation], b: Sequence[KernelActivation]) -> bool:
    """Whether layers have the same activations, slopes as devices hold them."""
    return all(
        k == m and (k != Kind.LEAKY or np.float32(s) == np.float32(u)) for (k, s), (m, u) in zip(a, b, strict=True)
    )
