"""Layers in memory-mapped files, for networks that do not fit into memory. A step never writes over what the step
before left: updated values go to the other of two files, and what is in force is named by a manifest that is replaced
whole. A run that is killed finds the last step's end."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._arrays import HELD, Stored, type_name
from trulysparse.activations import KernelActivation
from trulysparse.compact import CompactLayer
from trulysparse.connectivity import TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.layers import Slots
from trulysparse.optimizers import Optimizer

MANIFEST = "manifest.json"


class ArrayFolder:
    """A folder of raw arrays, each a file that is mapped into memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._made = 0

    def create(self, name: str, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of zeros in a new file. OSError, before anything is written, where the disk has no room for it."""
        while True:
            self._made += 1
            file = self.path / f"{name}.{self._made}"
            try:
                handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
                break
            except FileExistsError:
                continue
        size_bytes = max(1, size * dtype.itemsize)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size_bytes)
            else:  # macOS: the room is not made sure of
                os.ftruncate(handle, size_bytes)
        except OSError as error:
            file.unlink()
            raise OSError(
                error.errno, f"{error.strerror}: {self.path} has no room for {size_bytes / 1e9:.2f} GB more", str(file)
            ) from None
        finally:
            os.close(handle)
        return self._mapped(file, size, dtype)

    def keep(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in a new file."""
        kept = self.create(name, len(array), array.dtype)
        kept[:] = array
        release(kept)
        return kept

    def open(self, entry: dict[str, Any]) -> NDArray[Any]:
        """An array that a manifest names."""
        file, size, dtype = (
            self.path / entry["file"],
            int(entry["size"]),
            np.dtype(HELD.get(entry["type"], entry["type"])),
        )
        if not file.is_file() or file.stat().st_size < size * dtype.itemsize:
            raise InputError(f"{file} is missing or shorter than its {size} values")
        return self._mapped(file, size, dtype)

    def _mapped(self, file: Path, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        # A mapping of no bytes is not possible.
        return np.memmap(file, dtype, "r+", shape=(max(1, size),))[:size] if size else np.empty(0, dtype)

    def entry(self, array: NDArray[Any]) -> dict[str, Any]:
        """How a manifest names an array."""
        file = Path(_map_of(array).filename).name if array.size else None
        return {"file": file, "size": len(array), "type": type_name(array)}

    def commit(self, state: dict[str, Any], arrays: Iterable[NDArray[Any]]) -> None:
        """Puts `state` in force; files of other arrays than these go."""
        text = json.dumps(state)
        temporary = self.path / f".{MANIFEST}"
        temporary.write_text(text)
        temporary.replace(self.path / MANIFEST)
        named = {Path(_map_of(array).filename).name for array in arrays if array.size} | {MANIFEST}
        for file in self.path.iterdir():
            if file.name not in named:
                file.unlink()

    def state(self) -> dict[str, Any]:
        """What was committed last."""
        try:
            found: dict[str, Any] = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"'{self.path}' holds no network: {MANIFEST} cannot be read ({error})") from None
        return found


def _map_of(array: NDArray[Any]) -> Any:
    """The memory map that an array is (part of)."""
    found: Any = array
    while not (isinstance(found, np.memmap) and isinstance(found.base, mmap.mmap)):
        found = found.base
    return found


def _advise(array: NDArray[Any], advice: int) -> None:
    if array.size:
        _map_of(array).base.madvise(advice)


def fetch(array: NDArray[Any]) -> None:
    """Starts reading the array's file ahead."""
    _advise(array, mmap.MADV_WILLNEED)


def release(array: NDArray[Any]) -> None:
    """Gives the array's memory back; what was written goes to its file in the system's own time."""
    if array.size:
        mapped = _map_of(array)
        descriptor = os.open(mapped.filename, os.O_RDWR)
        try:
            mapped.base.madvise(mmap.MADV_DONTNEED)  # a shared mapping: written pages stay in the system's cache
            if hasattr(os, "posix_fadvise"):
                # What is dirty is written now, in order, rather than all at once when memory is short.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


class DiskLayer(CompactLayer):
    """A CompactLayer whose arrays are files. Each array that updates change has a spare, which the next update
    fills."""

    def __init__(
        self,
        connectivity: TiledConnectivity,
        values: Stored,
        bias: Stored,
        activation: KernelActivation,
        folder: ArrayFolder,
        name: str,
        spare: tuple[list[Stored], list[Stored]] | None = None,
    ) -> None:
        super().__init__(connectivity, values, bias, activation)
        self._folder = folder
        self._name = name
        self._spare = spare or ([self._twin("weight", values)], [self._twin("bias", bias)])

    def _twin(self, part: str, array: Stored) -> Stored:
        return self._folder.create(f"{self._name}.{part}", len(array), array.dtype)

    def new_slots(self, optimizer: Optimizer) -> Slots:
        """Optimizer state for this layer, all zero, with spares."""
        kind, parts = HELD[optimizer.state or "float32"], range(optimizer.slots)
        create, (weights, biases) = self._folder.create, self._spare
        del weights[1:], biases[1:]
        weights += [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts]
        biases += [create(f"{self._name}.bias_slot{i}", self.n_out, kind) for i in parts]
        return Slots(
            [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts],
            [create(f"{self._name}.bias_slot{i}", self.n_out, kind) for i in parts],
        )

    def arrays(self, slots: Slots) -> dict[str, list[NDArray[Any]]]:
        """All arrays, by what they are."""
        return {
            "connectivity": [self.connectivity.ptr, self.connectivity.place],
            "weight": [self.values, *slots.weight],
            "bias": [self.bias, *slots.bias],
            "spare_weight": self._spare[0],
            "spare_bias": self._spare[1],
        }

    def manifest(self, slots: Slots) -> dict[str, Any]:
        """What `opened` needs to find the layer again."""
        found: dict[str, Any] = {
            part: [self._folder.entry(array) for array in arrays] for part, arrays in self.arrays(slots).items()
        }
        con = self.connectivity
        return {"n_in": con.n_in, "n_out": con.n_out, "shift": con.shift, **found}

    @staticmethod
    def opened(
        folder: ArrayFolder, name: str, manifest: dict[str, Any], activation: KernelActivation
    ) -> tuple[DiskLayer, Slots]:
        """The layer that a manifest names, and its optimizer state."""
        parts = ("connectivity", "weight", "bias", "spare_weight", "spare_bias")
        con, weight, bias, spare_weight, spare_bias = (
            [folder.open(entry) for entry in manifest[part]] for part in parts
        )
        connectivity = TiledConnectivity(manifest["n_in"], manifest["n_out"], manifest["shift"], con[0], con[1])
        layer = DiskLayer(connectivity, weight[0], bias[0], activation, folder, name, (spare_weight, spare_bias))
        return layer, Slots(weight[1:], bias[1:])

    def _room(self, pointers: int, size: int, slots: Slots) -> list[np.ndarray]:
        create, name = self._folder.create, self._name
        kinds = [self.values.dtype, *(slot.dtype for slot in slots.weight)]
        names = ["weight", *(f"slot{i}" for i in range(len(slots.weight)))]
        self._spare[0][:] = [create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)]
        return [
            create(f"{name}.ptr", pointers, np.dtype(np.int64)),
            create(f"{name}.place", size, np.dtype(np.uint32)),
            *(create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)),
        ]

    def _into(self, slots: Slots) -> tuple[list[Stored], list[Stored]]:
        return self._spare

    def _updated(self, slots: Slots) -> None:
        weights, biases = self._spare
        weights[0], self.values = self.values, weights[0]
        biases[0], self.bias = self.bias, biases[0]
        for i in range(len(slots.weight)):
            weights[i + 1], slots.weight[i] = slots.weight[i], weights[i + 1]
            biases[i + 1], slots.bias[i] = slots.bias[i], biases[i + 1]

    def fetch(self) -> None:
        """Starts reading what the next pass needs."""
        for array in (self.connectivity.ptr, self.connectivity.place, self.values, self.bias):
            fetch(array)

    def release(self) -> None:
        """Gives the layer's memory back."""
        for array in (self.connectivity.place, self.values, self.bias, *self._spare[0], *self._spare[1]):
            release(array)
