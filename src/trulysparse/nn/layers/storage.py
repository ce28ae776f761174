"""How a network is stored: the form of its layers, the types of its values, and where its arrays lie."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.arrays import HELD, Stored, empty, zeros
from trulysparse._core.mapped_arrays import ArrayFolder
from trulysparse.connectivity import Connectivity, TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.mapped import MappedLayer
from trulysparse.nn.layers.tiled import TiledLayer

STORAGE = ("indexed", "compact")
_TYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class StorageConfig:
    """How a network's layers are stored.

    Args:
        kind: 'indexed' or 'compact' (in tiles).
        weights: type of weights and biases.
        signals: type of hidden activations.
        folder: where layers live in memory-mapped files; None: in memory.
    """

    kind: str
    weights: str
    signals: str
    folder: ArrayFolder | None = None

    @staticmethod
    def create(
        storage: str, weights: str | None, signals: str | None, folder: str | PathLike[str] | None, dtype: str
    ) -> StorageConfig:
        """A configuration from the arguments of SparseMLP, or InputError where they do not go together. weights,
        signals: None for dtype."""
        checks.choice("storage", storage, STORAGE)
        checks.choice("dtype", dtype, ("float32", "float64"))
        weights, signals = weights or dtype, signals or dtype
        if storage == "compact":
            if dtype != "float32":
                raise InputError(f"dtype must be 'float32' where storage='compact', not {dtype!r}")
            checks.choice("weights", weights, _TYPES)
            checks.choice("signals", signals, _TYPES)
            if not isinstance(folder, str | PathLike | None):
                raise InputError(f"folder must be the path of a folder, not {folder!r:.80}")
            return StorageConfig(storage, weights, signals, None if folder is None else ArrayFolder(Path(folder)))
        for name, value in (("weights", weights), ("signals", signals)):
            if value != dtype:
                raise InputError(f"{name}={value!r} needs storage='compact'")
        if folder is not None:
            raise InputError("folder needs storage='compact'")
        return StorageConfig(storage, dtype, dtype)

    @property
    def tiled(self) -> bool:
        """Whether connections lie in tiles."""
        return self.kind == "compact"

    def indexed(self) -> StorageConfig:
        """The configuration of an indexed copy, in memory."""
        return StorageConfig.create("indexed", None, None, None, "float32") if self.tiled else self

    def empty(self, name: str, size: int) -> Stored:
        """`size` values of the weights' type, not set; name: what a file would be called."""
        kind = HELD[self.weights]
        return empty(size, kind) if self.folder is None else self.folder.create(name, size, kind)

    def zeros(self, name: str, size: int) -> Stored:
        """The same, zero."""
        kind = HELD[self.weights]
        return zeros(size, kind) if self.folder is None else self.folder.create(name, size, kind)

    def store_array(self, name: str, array: Stored) -> Stored:
        """The array itself or, where layers live in files, a copy in a new file called `name`."""
        return array if self.folder is None else self.folder.store(name, array)

    def store_connectivity(self, con: TiledConnectivity, name: str) -> TiledConnectivity:
        """The same for the arrays of a connectivity."""
        if self.folder is None:
            return con
        store = self.folder.store
        ptr, packed = store(f"{name}.ptr", con.ptr), store(f"{name}.place", con.packed)
        return TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, ptr, packed)

    def layer(
        self,
        con: Connectivity | TiledConnectivity,
        values: Stored,
        bias: Stored,
        activation: LayerActivation,
        name: str,
    ) -> Layer:
        """A layer of these arrays; name: what its files would be called."""
        if isinstance(con, Connectivity):
            return IndexedLayer(con, values, bias, activation)
        if self.folder is None:
            return TiledLayer(con, values, bias, activation)
        return MappedLayer(con, values, bias, activation, self.folder, name)


def activation_types(storage_config: StorageConfig, n_sizes: int) -> list[np.dtype[Any]]:
    """How the activations of each layer are held, the input first: input and output are float32 or float64."""
    outer = np.dtype("float64" if storage_config.weights == "float64" else "float32")
    return [outer, *[HELD[storage_config.signals]] * (n_sizes - 2), outer]
