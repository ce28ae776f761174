"""Layers in memory-mapped files, for networks that do not fit into memory. A step never writes over what the step
before left: updated values go to the other of two files, and what is in force is named by a manifest that is replaced
whole. A run that is killed finds the last step's end."""

from __future__ import annotations

import json
import mmap
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import HELD, Stored, not_finite, type_name
from trulysparse._core.files import write_whole
from trulysparse.connectivity import TiledConnectivity
from trulysparse.errors import InputError
from trulysparse.nn.activations import KernelActivation
from trulysparse.nn.layers.indexed import OptimizerState
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim.sgd import Optimizer

MANIFEST = "manifest.json"
_FILE = re.compile(r"layer\d+\.[a-z_]+\d*\.([0-9a-f]{16}\.)?\d+")


class ArrayFolder:
    """A folder of raw arrays, each a file that is mapped into memory.

    It is made with the first array. A folder that is there must be empty or hold the manifest of such a folder; files
    in it that no such folder made are left alone. A file goes when its array is no longer used, unless the manifest
    names it, and with the next commit otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = 0
        self._writer = secrets.token_hex(8)  # in the names of this object's files
        self._changed = True  # files since the last commit
        state: dict[str, Any] = {}
        if path.exists():
            if not path.is_dir():
                raise InputError(f"folder: '{path}' is not a folder")
            if (path / MANIFEST).exists():
                state = self.state()
            elif any(path.iterdir()):
                raise InputError(f"folder: '{path}' holds files that are not layers of a network; choose a new folder")
        self._owned = bool(state)
        self._writers = [w for w in _listed(state, "writers") if isinstance(w, str)]
        self._committed = {name for name in _files_in(state.get("layers")) if _FILE.fullmatch(name)}

    def create(self, name: str, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of zeros in a new file. OSError, before anything is written, where the disk has no room for it."""
        self._own()
        self._made += 1
        file = self.path / f"{name}.{self._writer}.{self._made}"
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        size_bytes = max(1, size * dtype.itemsize)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size_bytes)
            else:  # macOS: the room is not made sure of
                os.ftruncate(handle, size_bytes)
        except OSError as error:
            file.unlink()
            self._disown()
            raise OSError(
                error.errno, f"{error.strerror}: {self.path} has no room for {size_bytes / 1e9:.2f} GB more", str(file)
            ) from None
        finally:
            os.close(handle)
        self._changed = True
        if not size:
            file.unlink()
            return np.empty(0, dtype)
        return self._mapped(file, size, dtype)

    def _own(self) -> None:
        """Makes the folder and says in its manifest who writes to it, so that a later one knows these files."""
        if self._owned and self._writer in self._writers:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._writers.append(self._writer)
        self._write((self.state() if self._owned else {}) | {"writers": self._writers})
        self._owned = True

    def _disown(self) -> None:
        """Takes the manifest back where not even the first array found room in a folder that was new."""
        if self._made == 1 and self._writers == [self._writer] and not self._committed:
            (self.path / MANIFEST).unlink(missing_ok=True)
            self._owned = False
            self._writers.clear()

    def _write(self, state: dict[str, Any]) -> None:
        write_whole(self.path / MANIFEST, lambda path: path.write_text(json.dumps(state)))

    def keep(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in a new file."""
        kept = self.create(name, len(array), array.dtype)
        kept[:] = array
        release(kept)
        return kept

    def scratch(self, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in a file without a name: it takes room on the disk and not in memory."""
        kept = self.keep("layer0.scratch", array)
        if kept.size:
            Path(_map_of(kept).filename).unlink()
        return kept

    def open(self, entry: Any, kinds: tuple[str, ...], size: int | None = None) -> NDArray[Any]:
        """An array that a manifest names, of one of some types and of a size (None: any), or InputError."""
        if not isinstance(entry, dict) or not {"file", "size", "type"} <= set(entry):
            raise InputError("an array must have a file, a size and a type")
        name, kind = entry["file"], checks.choice("type", entry["type"], kinds)
        count = checks.integer("size", entry["size"], low=0)
        if size is not None and count != size:
            raise InputError(f"an array in {name} has {count} values, not {size}")
        dtype = HELD.get(kind) or np.dtype(kind)
        if count == 0:
            return np.empty(0, dtype)
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise InputError(f"{name!r} is not the name of an array's file")
        file = self.path / name
        if file.is_symlink() or not file.is_file() or file.stat().st_size < count * dtype.itemsize:
            raise InputError(f"{file} is missing or shorter than its {count} values")
        return self._mapped(file, count, dtype)

    def _mapped(self, file: Path, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        array = np.memmap(file, dtype, "r+", shape=(size,))
        finalize(_map_of(array).base, _forget, file, self._committed, os.getpid())
        return array

    def entry(self, array: NDArray[Any]) -> dict[str, Any]:
        """How a manifest names an array."""
        file = Path(_map_of(array).filename).name if array.size else None
        return {"file": file, "size": len(array), "type": type_name(array)}

    def commit(self, state: dict[str, Any], arrays: Iterable[NDArray[Any]], *, sync: bool = False) -> None:
        """Puts `state` in force; files of other arrays than these go, of those that such folders made. Before it names
        new files, they are written to the disk, so that connections outlive a power cut; sync: all of them, for the
        values that were changed in place."""
        files = [Path(_map_of(array).filename) for array in arrays if array.size]
        named = {file.name for file in files}
        self._own()
        for file in files:
            if sync or file.name not in self._committed:
                _sync(file)
        if sync or self._changed:
            self._write(state | {"writers": self._writers})
        else:
            temporary = self.path / f".{MANIFEST}"
            temporary.write_text(json.dumps(state | {"writers": self._writers}))
            _sync(temporary)  # 5 ms; else a power cut may leave an empty file of this name
            temporary.replace(self.path / MANIFEST)
        gone = self._committed - named
        self._committed.clear()  # the very set that arrays know
        self._committed |= named
        if self._changed:
            gone |= {file.name for file in self.path.iterdir() if self._is_ours(file.name)} - named
        for name in gone:
            (self.path / name).unlink(missing_ok=True)
        self._changed = False

    def _is_ours(self, name: str) -> bool:
        """Whether a folder of this kind made the file."""
        found = _FILE.fullmatch(name)
        return found is not None and (found[1] or "").rstrip(".") in self._writers

    def state(self) -> dict[str, Any]:
        """What was committed last."""
        try:
            found = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"'{self.path}' holds no network: {MANIFEST} cannot be read ({error})") from None
        if not isinstance(found, dict) or not ("layers" in found or "writers" in found):
            raise InputError(f"'{self.path}' holds no network: {MANIFEST} does not name any layers")
        return found


def committed(folder: Path) -> bool:
    """Whether a folder of arrays has a network to go on from."""
    try:
        return "layers" in json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, RecursionError):
        return True  # something is there; whoever opens it says what is wrong


def _listed(state: dict[str, Any], name: str) -> list[Any]:
    found = state.get(name)
    return found if isinstance(found, list) else []


def _files_in(part: Any) -> Iterator[str]:
    """The names of files anywhere in a manifest."""
    if isinstance(part, dict):
        if isinstance(part.get("file"), str):
            yield part["file"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _files_in(each)


def _forget(file: Path, committed: set[str], process: int) -> None:
    """Removes the file of an array that is no longer used, unless a manifest names it."""
    if file.name not in committed and os.getpid() == process:  # not in a fork of the process
        file.unlink(missing_ok=True)


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        mapped.base.madvise(mmap.MADV_DONTNEED)  # a shared mapping: written pages stay in the system's cache
        try:
            descriptor = os.open(mapped.filename, os.O_RDWR)
        except FileNotFoundError:  # its name has gone, as another network has taken over the folder
            return
        try:
            if hasattr(os, "posix_fadvise"):
                # What is dirty is written now, in order, rather than all at once when memory is short.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


class MappedLayer(TiledLayer):
    """A TiledLayer whose arrays are files. Each array that updates change has a spare, which the next update
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

    def new_state(self, optimizer: Optimizer) -> OptimizerState:
        """Optimizer state for this layer, all zero, with spares."""
        kind, parts = HELD[optimizer.state or "float32"], range(optimizer.n_slots)
        create, (weights, biases) = self._folder.create, self._spare
        del weights[1:], biases[1:]
        weights += [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts]
        biases += [create(f"{self._name}.bias_slot{i}", self.n_out, kind) for i in parts]
        return OptimizerState(
            [create(f"{self._name}.slot{i}", self.n_connections, kind) for i in parts],
            [create(f"{self._name}.bias_slot{i}", self.n_out, kind) for i in parts],
        )

    def arrays(self, optimizer_state: OptimizerState) -> dict[str, list[NDArray[Any]]]:
        """All arrays, by what they are."""
        return {
            "connectivity": [self.connectivity.ptr, self.connectivity.place],
            "weight": [self.values, *optimizer_state.weight],
            "bias": [self.bias, *optimizer_state.bias],
            "spare_weight": self._spare[0],
            "spare_bias": self._spare[1],
        }

    def manifest(self, optimizer_state: OptimizerState) -> dict[str, Any]:
        """What `opened` needs to find the layer again."""
        found: dict[str, Any] = {
            part: [self._folder.entry(array) for array in arrays]
            for part, arrays in self.arrays(optimizer_state).items()
        }
        con = self.connectivity
        return {"n_in": con.n_in, "n_out": con.n_out, "shift": con.shift, **found}

    @staticmethod
    def opened(
        folder: ArrayFolder,
        name: str,
        manifest: dict[str, Any],
        sizes: Sequence[int],
        weights: str,
        activation: KernelActivation,
    ) -> tuple[MappedLayer, OptimizerState]:
        """The layer that a manifest names, and its optimizer state; InputError where it is not a layer of `sizes`
        neurons with weights of that type, or does not hold together. Reads every connection and weight once."""
        parts = ("connectivity", "weight", "bias", "spare_weight", "spare_bias")
        if not isinstance(manifest, dict) or not all(isinstance(manifest.get(part), list) for part in parts):
            raise InputError(f"it must list {', '.join(parts)}")
        n_in, n_out = (checks.integer(key, manifest.get(key), low=1) for key in ("n_in", "n_out"))
        if [n_in, n_out] != list(sizes):
            raise InputError(f"it connects {n_in} x {n_out} neurons, not {sizes[0]} x {sizes[1]}")
        lists = [manifest[part] for part in parts]
        if len(lists[0]) != 2 or not 1 <= len(lists[1]) <= 3 or len({len(each) for each in lists[1:]}) != 1:
            raise InputError("it must list 2 arrays of connections, and as many of weights, biases and spares of both")
        ptr, place = folder.open(lists[0][0], ("int64",)), folder.open(lists[0][1], ("uint32",))
        connectivity = TiledConnectivity(n_in, n_out, manifest.get("shift"), ptr, place)  # type: ignore[arg-type]
        weight, bias, spare_weight, spare_bias = (
            [
                folder.open(entry, (weights,) if i == 0 else ("float32", "bfloat16"), size)
                for i, entry in enumerate(entries)
            ]
            for entries, size in zip(lists[1:], (len(place), n_out) * 2, strict=True)
        )
        for part, arrays in (("weight", weight), ("bias", bias)):
            for array in arrays:
                if wrong := not_finite(array):
                    raise InputError(f"{part} holds {wrong}")
        for array, spare in zip([*weight, *bias], [*spare_weight, *spare_bias], strict=True):
            if array.dtype != spare.dtype:
                raise InputError(f"a spare is {type_name(spare)}, not {type_name(array)}")
        for array in (place, *weight):
            release(array)
        layer = MappedLayer(connectivity, weight[0], bias[0], activation, folder, name, (spare_weight, spare_bias))
        return layer, OptimizerState(weight[1:], bias[1:])

    def snapshot(self) -> tuple[TiledConnectivity, Stored, Stored]:
        """Connections, weights and biases as they are now, in files without a name."""
        scratch, con = self._folder.scratch, self.connectivity
        kept = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, scratch(con.ptr), scratch(con.place))
        return kept, scratch(self.values), scratch(self.bias)

    def restore(self, kept: tuple[TiledConnectivity, Stored, Stored]) -> None:
        """Puts a snapshot back, into files of the layer."""
        con, values, bias = kept
        keep, name = self._folder.keep, self._name
        ptr, place = keep(f"{name}.ptr", con.ptr), keep(f"{name}.place", con.place)
        self.connectivity = TiledConnectivity.trusted(con.n_in, con.n_out, con.shift, ptr, place)
        self.values, self.bias = keep(f"{name}.weight", values), keep(f"{name}.bias", bias)
        self._spare = [self._twin("weight", values)], [self._twin("bias", bias)]

    def _room(self, pointers: int, size: int, optimizer_state: OptimizerState) -> list[np.ndarray]:
        create, name = self._folder.create, self._name
        kinds = [self.values.dtype, *(slot.dtype for slot in optimizer_state.weight)]
        names = ["weight", *(f"slot{i}" for i in range(len(optimizer_state.weight)))]
        self._spare[0][:] = [create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)]
        return [
            create(f"{name}.ptr", pointers, np.dtype(np.int64)),
            create(f"{name}.place", size, np.dtype(np.uint32)),
            *(create(f"{name}.{part}", size, kind) for part, kind in zip(names, kinds, strict=True)),
        ]

    def _into(self, optimizer_state: OptimizerState) -> tuple[list[Stored], list[Stored]]:
        return self._spare

    def _updated(self, optimizer_state: OptimizerState) -> None:
        weights, biases = self._spare
        weights[0], self.values = self.values, weights[0]
        biases[0], self.bias = self.bias, biases[0]
        for i in range(len(optimizer_state.weight)):
            weights[i + 1], optimizer_state.weight[i] = optimizer_state.weight[i], weights[i + 1]
            biases[i + 1], optimizer_state.bias[i] = optimizer_state.bias[i], biases[i + 1]

    def fetch(self) -> None:
        """Starts reading what the next pass needs."""
        for array in (self.connectivity.ptr, self.connectivity.place, self.values, self.bias):
            fetch(array)

    def release(self) -> None:
        """Gives the layer's memory back."""
        for array in (self.connectivity.place, self.values, self.bias, *self._spare[0], *self._spare[1]):
            release(array)
