"""A folder of arrays in memory-mapped files, for what does not fit into memory. What is in force is named by a manifest
that is replaced whole."""

from __future__ import annotations

import json
import mmap
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import HELD, type_name
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError

MANIFEST = "manifest.json"
_FILE = re.compile(r"layer\d+\.[a-z_]+\d*\.([0-9a-f]{16}\.)?\d+")

# A manifest whose writer was killed, see write_whole.
_UNFINISHED = re.compile(rf"\.{re.escape(MANIFEST)}\.[0-9a-f]{{16}}")


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
            else:  # macOS: space on the disk is not reserved
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

    def store(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in a new file."""
        stored = self.create(name, len(array), array.dtype)
        stored[:] = array
        release(stored)
        return stored

    def scratch(self, array: NDArray[Any]) -> NDArray[Any]:
        """A copy of the array in a file without a name: it takes space on the disk and not in memory."""
        copied = self.store("layer0.scratch", array)
        if copied.size:
            Path(_map_of(copied).filename).unlink()
        return copied

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
        match = _FILE.fullmatch(name)
        if match is None:
            return _UNFINISHED.fullmatch(name) is not None
        return (match[1] or "").rstrip(".") in self._writers

    def state(self) -> dict[str, Any]:
        """What was committed last."""
        try:
            state = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"'{self.path}' holds no network: {MANIFEST} cannot be read ({error})") from None
        if not isinstance(state, dict) or not ("layers" in state or "writers" in state):
            raise InputError(f"'{self.path}' holds no network: {MANIFEST} does not name any layers")
        return state


def committed(folder: Path) -> bool:
    """Whether a folder of arrays has a network to go on from."""
    try:
        return "layers" in json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, RecursionError):
        return True  # something is there; whoever opens it says what is wrong


def _listed(state: dict[str, Any], name: str) -> list[Any]:
    values = state.get(name)
    return values if isinstance(values, list) else []


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
    mapped: Any = array
    while not (isinstance(mapped, np.memmap) and isinstance(mapped.base, mmap.mmap)):
        mapped = mapped.base
    return mapped


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
