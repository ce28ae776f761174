"""Files of models that consist of networks and arrays: autoencoders, selectors, Boltzmann machines. They are those of
networks with a version of their own, which older releases refuse; each network's tensors have its name in front."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks, memory
from trulysparse._core.progress import Progress
from trulysparse.errors import InputError
from trulysparse.io.fleets import FleetFile, build_fleet, fleet_settings, fleet_tensors, is_fleet
from trulysparse.io.model_reader import build, layer_sizes_of
from trulysparse.io.model_writer import layer_tensors, scaling_tensors, settings
from trulysparse.io.table_state import VERSIONS, version_of
from trulysparse.io.tensors import TYPES, PartOfFile, Tensor, TensorFile, write_tensors
from trulysparse.nn.activations import NAMES, Activation
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.nn.mlp import SparseMLP

VERSION = 5
"""Version of files of models; files of networks have lower ones."""


@dataclass(frozen=True)
class Parts:
    """What a file keeps of a model.

    Args:
        networks: by name, also fleets.
        arrays: by name; booleans, integers and float32 or float64, of any shape.
        config: all else, as JSON can hold it.
        large: arrays that are written from where they are, and read straight to where they are wanted: of a file these
            are LargeArrays.
    """

    networks: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    config: dict[str, Any]
    large: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LargeArray:
    """An array of an open file that has not been read.

    Args:
        file: that holds it.
        name: of the tensor.
    """

    file: TensorFile
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.file.form(self.name)[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        return self.file.form(self.name)[1]

    @property
    def nbytes(self) -> int:
        """Of the array."""
        return prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def read_into(self, out: NDArray[Any]) -> None:
        """Fills a contiguous array of its shape and type; InputError where it is not."""
        self.file.read(self.name, finite=False, out=out)


def fill(out: NDArray[Any], kept: NDArray[Any] | LargeArray) -> None:
    """Fills a contiguous array from one of the same shape and type, or from the file that holds it."""
    if isinstance(kept, LargeArray):
        kept.read_into(out)
    else:
        out[:] = kept


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


_CLASSES: dict[str, Callable[[], Any]] = {"Fleet": lambda: FleetFile}


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
    write_parts(model.to_parts(), type(model).__name__, path, entry, progress)


def write_parts(parts: Parts, kind: str, path: str | os.PathLike[str], entry: str, progress: Progress) -> None:
    """As `write`, of the parts of a model.

    Args:
        parts: what to write.
        kind: name of the model's class, which is registered.
        path: of the file.
        entry: name of the settings in the file's metadata.
        progress: called as the file is written.
    """
    tensors: list[Tensor] = []
    for name, net in parts.networks.items():
        tensors += [replace(each, name=f"networks.{name}.{each.name}") for each in _network_tensors(net)]
    tensors += [_tensor(f"arrays.{name}", array) for name, array in parts.arrays.items()]
    tensors += [_tensor(f"large.{name}", array) for name, array in parts.large.items()]
    config = {
        "version": VERSION,
        "kind": kind,
        "networks": {name: _network_settings(net) for name, net in parts.networks.items()},
        "arrays": list(parts.arrays),
        **({"large": list(parts.large)} if parts.large else {}),
        "config": parts.config,
    }
    write_tensors(path, tensors, {entry: json.dumps(config)}, progress)


def _network_tensors(net: SparseMLP | Fleet) -> list[Tensor]:
    if isinstance(net, Fleet):
        return fleet_tensors(net)
    own = [tensor for number in range(len(net.layers)) for tensor in layer_tensors(net, number)]
    return own + scaling_tensors(net)


def _network_settings(net: SparseMLP | Fleet) -> dict[str, Any]:
    if isinstance(net, Fleet):
        return {"version": 1, **fleet_settings(net)}
    return {"version": version_of(net), **settings(net)}


def _tensor(name: str, array: Any) -> Tensor:
    if not isinstance(array, np.ndarray) or not array.ndim or str(array.dtype) not in TYPES:
        what = name.partition(".")[2]
        raise InputError(f"{what} cannot be kept in a file: it must be an array of numbers, not {array!r:.60}")
    return Tensor.of(name, array)


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
    kind = file.config["kind"]
    if kind not in _CLASSES:
        raise InputError(f"it holds a {kind!r:.40}, which this release does not know")
    return _CLASSES[kind]().from_parts(read_parts(file, threads, activation), threads, activation)


def read_parts(file: TensorFile, threads: int | None, activation: Activation | None) -> Parts:
    """As `read`, without making a model of what was read."""
    config = file.config
    kind, names, arrays = config["kind"], config["networks"], config["arrays"]
    large_names = config.get("large", [])
    lists = isinstance(arrays, list) and isinstance(large_names, list)
    if not isinstance(names, dict) or not lists or not isinstance(config["config"], dict):
        raise InputError("networks and config must be JSON objects, and arrays a list")
    large = {str(name): LargeArray(file, f"large.{name}") for name in large_names}
    pointers = 16 * sum(sum(layer_sizes_of(each)) for each in names.values())
    needed = file.nbytes + pointers - sum(each.nbytes for each in large.values())
    memory.require(needed, f"the {kind} in the file", "read it where there is more")
    own = activation is not None and any(each["activation"] not in NAMES for each in names.values())
    if activation is not None and not own:
        raise InputError(f"activation is for one of your own, but this {kind} was saved with a built-in one")
    networks = {}
    for name, each in names.items():
        if each.get("version") not in VERSIONS:
            raise InputError(f"network {name} has format version {each.get('version')!r:.80}")
        given = activation if each["activation"] not in NAMES else None
        part = PartOfFile(file, f"networks.{name}.")
        make: Callable[..., SparseMLP | Fleet] = build_fleet if is_fleet(each) else build
        networks[name] = make(each, part, checks.thread_count(threads), activation=given)
    values = {str(name): file.read(f"arrays.{name}", finite=False) for name in arrays}
    return Parts(networks, values, config["config"], large)
