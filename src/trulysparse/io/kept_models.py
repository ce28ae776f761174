"""Files of models that consist of networks and arrays: autoencoders, selectors, Boltzmann machines. They are those of
networks with a version of their own, which older releases refuse; each network's tensors have its name in front."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks, memory
from trulysparse._core.progress import Progress
from trulysparse.errors import InputError
from trulysparse.io.model_reader import build, layer_sizes_of
from trulysparse.io.model_writer import layer_tensors, scaling_tensors, settings
from trulysparse.io.table_state import VERSIONS, version_of
from trulysparse.io.tensors import TYPES, PartOfFile, Tensor, TensorFile, write_tensors
from trulysparse.nn.activations import NAMES, Activation
from trulysparse.nn.mlp import SparseMLP

VERSION = 5
"""Version of files of models; files of networks have lower ones."""


@dataclass(frozen=True)
class Parts:
    """What a file keeps of a model.

    Args:
        networks: by name.
        arrays: by name; booleans, integers and float32 or float64, of any shape.
        config: all else, as JSON can hold it.
    """

    networks: dict[str, SparseMLP]
    arrays: dict[str, NDArray[Any]]
    config: dict[str, Any]


class KeptModel(Protocol):
    """A model that files can keep."""

    def to_parts(self) -> Parts:
        """What a file keeps of it; InputError where it cannot be kept."""

    @classmethod
    def from_parts(cls, parts: Parts, threads: int | None, activation: Activation | None) -> Self:
        """The model that gave these parts; InputError where they do not hold together.

        Args:
            parts: what the file holds.
            threads: the model computes with; None: as it says itself.
            activation: one of the user's own, which files have the name of alone.
        """


_CLASSES: dict[str, Callable[[], type[KeptModel]]] = {}


def register(kind: str, get_class: Callable[[], type[KeptModel]]) -> None:
    """Lets files name a kind of model.

    Args:
        kind: name of the class.
        get_class: imports it, when a file of this kind is read.
    """
    _CLASSES[kind] = get_class


def is_kept(model: Any) -> bool:
    """Whether `write` takes an object."""
    return hasattr(type(model), "to_parts") and type(model).__name__ in _CLASSES


def write(model: KeptModel, path: str | os.PathLike[str], entry: str, progress: Progress) -> None:
    """Writes a model to a safetensors file, whole or not at all.

    Args:
        model: of a registered kind.
        path: of the file.
        entry: name of the settings in the file's metadata.
        progress: called as the file is written.

    Raises:
        InputError: where the model cannot be kept; nothing is written then.
        OSError: where the file cannot be written; one that was there stays then.
    """
    parts = model.to_parts()
    tensors: list[Tensor] = []
    for name, net in parts.networks.items():
        own = [tensor for number in range(len(net.layers)) for tensor in layer_tensors(net, number)]
        tensors += [replace(each, name=f"networks.{name}.{each.name}") for each in own + scaling_tensors(net)]
    tensors += [_tensor(name, array) for name, array in parts.arrays.items()]
    config = {
        "version": VERSION,
        "kind": type(model).__name__,
        "networks": {name: {"version": version_of(net), **settings(net)} for name, net in parts.networks.items()},
        "arrays": list(parts.arrays),
        "config": parts.config,
    }
    write_tensors(path, tensors, {entry: json.dumps(config)}, progress)


def _tensor(name: str, array: Any) -> Tensor:
    if not isinstance(array, np.ndarray) or not array.ndim or str(array.dtype) not in TYPES:
        raise InputError(f"{name} cannot be kept in a file: it must be an array of numbers, not {array!r:.60}")
    return Tensor.of(f"arrays.{name}", array)


def read(file: TensorFile, threads: int | None, activation: Activation | None) -> Any:
    """The model of an open file.

    Args:
        file: of version VERSION.
        threads: the model computes with; None: as it says itself.
        activation: one of the user's own, where the model has one.

    Returns:
        The model.

    Raises:
        InputError: where the file is damaged or holds a kind of model that is not known.
        NotEnoughMemoryError: where the model does not fit into memory.
    """
    config = file.config
    kind, names, arrays = config["kind"], config["networks"], config["arrays"]
    if kind not in _CLASSES:
        raise InputError(f"it holds a {kind!r:.40}, which this release does not know")
    if not isinstance(names, dict) or not isinstance(arrays, list) or not isinstance(config["config"], dict):
        raise InputError("networks and config must be JSON objects, and arrays a list")
    pointers = 16 * sum(sum(layer_sizes_of(each)) for each in names.values())
    memory.require(file.nbytes + pointers, f"the {kind} in the file", "read it where there is more")
    own = activation is not None and any(each["activation"] not in NAMES for each in names.values())
    if activation is not None and not own:
        raise InputError(f"activation is for one of your own, but this {kind} was saved with a built-in one")
    networks = {}
    for name, each in names.items():
        if each.get("version") not in VERSIONS:
            raise InputError(f"network {name} has format version {each.get('version')!r:.80}")
        given = activation if each["activation"] not in NAMES else None
        part = PartOfFile(file, f"networks.{name}.")
        networks[name] = build(each, part, checks.thread_count(threads), activation=given)
    values = {str(name): file.read(f"arrays.{name}", finite=False) for name in arrays}
    return _CLASSES[kind]().from_parts(Parts(networks, values, config["config"]), threads, activation)
