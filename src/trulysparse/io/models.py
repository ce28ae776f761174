"""One safetensors file per model: connectivity, weights, biases, scaling and preprocessing as tensors, all settings in
the metadata. No pickle; nothing in a file is executed. Layers are written and read one after the other."""

from __future__ import annotations

import json
import os
from typing import Any

from trulysparse._core import checks, memory
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.io import kept_models
from trulysparse.io.blobs import is_blob, load_blob
from trulysparse.io.model_reader import build, layer_sizes_of, storage_config_of
from trulysparse.io.model_writer import layer_tensors, scaling_tensors, settings
from trulysparse.io.table_state import VERSIONS, version_of
from trulysparse.io.tensors import TensorFile, opened, write_tensors
from trulysparse.nn.activations import NAMES, Activation
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.mlp import SparseMLP

# One metadata entry, so that the same network gives the same bytes (several would come in any order).
ENTRY = "trulysparse"


def save(
    net: SparseMLP | Fleet | kept_models.KeptModel, path: str | os.PathLike[str], *, progress: Progress = silent
) -> None:
    """Writes a network, a fleet, or a model that consists of networks, to a safetensors file.

    Tensors of layer l: layers.l.indptr and indices (CSR by output neuron) or, where storage='compact', tiles and places
    (see TiledConnectivity); weight, along them; bias. Settings are in the metadata. Of an activation of your own,
    the name is kept; `load` takes its object. A fitted SparseAutoencoder, SparseRBM or SparseFeatureSelector is kept
    with its parameters, but for `progress`, in a file that older releases refuse; so is a rl.Policy, and an agent of
    trulysparse.rl without its replay buffer (its own `save` writes that too). A fleet is kept as one network whose
    layers are block-diagonal, with the seeds of its agents; older releases refuse the file.

    Args:
        net: the network or model.
        path: of the file; one that is there is replaced as a whole.
        progress: called as the file is written, see trulysparse._core.progress.

    Raises:
        InputError: where the labels, or parameters of a model, cannot be kept in a file; nothing is written then.
        OSError: where the file cannot be written; one that was there stays then.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ts.save(net, folder + "/net.safetensors")
        ...     same = ts.load(folder + "/net.safetensors", threads=1)
        >>> X = np.ones((3, 4))
        >>> np.array_equal(same.predict(X), net.predict(X))
        True
    """
    if isinstance(net, Fleet):
        kept_models.write_parts(kept_models.Parts({"fleet": net}, {}, {}), "Fleet", path, ENTRY, progress)
        return
    if not isinstance(net, SparseMLP):
        if not kept_models.is_kept(net):
            raise InputError(
                "net must be a SparseMLP, Fleet, SparseAutoencoder, SparseRBM, SparseFeatureSelector, a policy or an "
                f"agent, not {type(net).__name__}; of a classifier or regressor, save its network_"
            )
        kept_models.write(net, path, ENTRY, progress)
        return
    config = settings(net)
    tensors = [tensor for number in range(len(net.layers)) for tensor in layer_tensors(net, number)]
    write_tensors(
        path, tensors + scaling_tensors(net), {ENTRY: json.dumps({"version": version_of(net), **config})}, progress
    )


def load(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    activation: Activation | None = None,
    progress: Progress = silent,
) -> Any:
    """Reads a network or model that `save` wrote, or a blob that a device saved (see trulysparse.export.save_blob).

    Args:
        path: of the file.
        threads: the network computes with; None: all of this machine's. Of a model, its n_jobs; None: as it was saved.
        folder: new or empty; for a network with storage='compact' that is too large for memory, whose layers then live
            in memory-mapped files there. None: in memory.
        activation: of the hidden layers, where it is one of your own (see ActivationFunction), of which files have the
            name alone.
        progress: called as the file is read, see trulysparse._core.progress.

    Returns:
        The SparseMLP, with labels, scaling and preprocessing; the Fleet; or the model, an object of the class that was
        saved; an agent has no environment then (its class's own `load` takes one).

    Raises:
        InputError: where the file is missing, truncated, not a trulysparse model, or damaged.
        NotEnoughMemoryError: where the network does not fit into memory.

    Example:
        >>> import trulysparse as ts
        >>> ts.load("nowhere.safetensors")
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: trulysparse model nowhere.safetensors does not exist
    """
    if is_blob(path):
        for name, given in (("folder", folder), ("activation", activation)):
            if given is not None:
                raise InputError(f"{name} is not for the blob of a device, which {path} is")
        return load_blob(path, threads)
    with opened(path, ENTRY, (*VERSIONS, kept_models.VERSION), "trulysparse model", progress) as file:
        if file.config["version"] == kept_models.VERSION:
            if folder is not None:
                raise InputError(f"folder is for a network, but this file holds a {file.config['kind']}")
            return kept_models.read(file, threads, activation)
        return _network(file, path, threads, folder, activation)


def load_network(path: str | os.PathLike[str], *, threads: int | None = None, progress: Progress = silent) -> SparseMLP:
    """Reads a network; a file of another model is refused.

    Args:
        path: of the file.
        threads: see `load`.
        progress: see `load`.

    Returns:
        The network.

    Raises:
        InputError: see `load`.
        NotEnoughMemoryError: see `load`.
    """
    if is_blob(path):
        return load_blob(path, threads)
    with opened(path, ENTRY, (*VERSIONS, kept_models.VERSION), "trulysparse model", progress) as file:
        if file.config["version"] == kept_models.VERSION:
            raise InputError(f"it holds a {file.config['kind']}, not a network: read it with trulysparse.load")
        return _network(file, path, threads, None, None)


def _network(
    file: TensorFile,
    path: str | os.PathLike[str],
    threads: int | None,
    folder: str | os.PathLike[str] | None,
    activation: Activation | None,
) -> SparseMLP:
    """The network of an open file; see `load`."""
    storage_config = storage_config_of(file.config, folder)
    if activation is not None and file.config["activation"] in NAMES:
        raise InputError(
            f"activation is for one of your own, but this network was saved with {file.config['activation']!r}"
        )
    if folder is None:
        pointers = 16 * sum(layer_sizes_of(file.config))
        memory.require(
            file.nbytes + pointers, f"the network in {path}", "load it with folder=, into memory-mapped files"
        )
    return build(file.config, file, checks.thread_count(threads), storage_config, activation)
