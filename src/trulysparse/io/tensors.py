"""safetensors files, written and read an array at a time: no second copy of what they hold in memory. The safetensors
library checks what is read; it writes from copies and knows no bfloat16 in NumPy, so the writing is done here (the
format is a length, a JSON header and the arrays)."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from trulysparse._core.arrays import HELD, bytes_of, empty, not_finite, type_name
from trulysparse._core.files import CHUNK, read_into, write_whole
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError

TYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "uint32": "U32", "int64": "I64",
    "uint64": "U64", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_NAMES = {code: name for name, code in TYPES.items()}
_SUMS = "crc32"  # metadata: CRC-32 of every tensor, and of the settings under ""; files of before have none


@dataclass(frozen=True)
class Tensor:
    """An array to be written: its name, shape and type (uint16 is bfloat16), and how to get it when its turn comes."""

    name: str
    shape: tuple[int, ...]
    type: str
    make: Callable[[], NDArray[Any]]

    @staticmethod
    def of(name: str, array: NDArray[Any]) -> Tensor:
        """An array that is there."""
        return Tensor(name, array.shape, type_name(array), lambda: array)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return prod(self.shape) * _dtype(self.type).itemsize


def _hexadecimal(checksum: int) -> str:
    return f"{checksum:08x}"


def _settings_sum(metadata: dict[str, str]) -> str:
    return _hexadecimal(zlib.crc32(json.dumps(metadata, sort_keys=True).encode()))


def _dtype(name: str) -> np.dtype[Any]:
    return HELD.get(name) or np.dtype(name)


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Sequence[Tensor],
    metadata: dict[str, str],
    progress: Progress = silent,
    what: str = "saving",
    *,
    sync: bool = True,
) -> None:
    """A safetensors file, whole or not at all. sync: whether it has to outlive a power cut at once. OSError where it
    cannot be written."""
    sums = {"": _settings_sum(metadata), **{t.name: _hexadecimal(0) for t in tensors}}
    header: dict[str, Any] = {"__metadata__": metadata | {_SUMS: json.dumps(sums)}}
    at = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": TYPES[tensor.type],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.nbytes],
        }
        at += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def write(temporary: Path) -> None:
        done = 0
        with temporary.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for tensor in tensors:
                array = np.ascontiguousarray(tensor.make())
                assert (array.shape, array.dtype) == (tensor.shape, _dtype(tensor.type))
                data = bytes_of(array)
                checksum = 0
                for start in range(0, len(data), CHUNK):
                    file.write(data[start : start + CHUNK])
                    checksum = zlib.crc32(data[start : start + CHUNK], checksum)
                    done += len(data[start : start + CHUNK])
                    progress(what, done, max(at, 1))
                sums[tensor.name] = _hexadecimal(checksum)
            # The sums are known now, and as long as those that stood for them.
            header["__metadata__"][_SUMS] = json.dumps(sums)
            file.seek(8)
            file.write(json.dumps(header).encode())

    try:
        write_whole(path, write, sync=sync)
    except OSError as error:
        raise OSError(error.errno, f"{path}: cannot be written: {error.strerror} ({at / 1e9:.3g} GB)") from error


class Arrays(Protocol):
    """Arrays of one dimension, by name."""

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        """See TensorFile.array."""


class TensorFile:
    """An open safetensors file: settings, and arrays read one at a time."""

    def __init__(self, path: Path, config: dict[str, Any], progress: Progress) -> None:
        self.config = config
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            self._entries: dict[str, Any] = json.loads(file.read(size))
        metadata: dict[str, str] = self._entries.pop("__metadata__", None) or {}
        self._sums: dict[str, str] = json.loads(metadata.pop(_SUMS, "{}"))
        self._damaged: str | None = None
        if self._sums and self._sums.get("") != _settings_sum(metadata):
            self._damaged = "its settings have changed since it was written (their checksum differs)"
        self._start = 8 + int(size)
        self._path = path
        self._done = 0
        self._total = max(1, path.stat().st_size - self._start)
        self._progress = progress

    @property
    def names(self) -> set[str]:
        """Of the arrays."""
        return set(self._entries)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._total

    def form(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of an array, bfloat16 as uint16, or InputError."""
        entry = self._entry(name)
        if entry["dtype"] not in _NAMES:
            raise InputError(f"tensor {name} is of type {entry['dtype']}, which is not known here")
        return tuple(entry["shape"]), _dtype(_NAMES[entry["dtype"]])

    def read(self, name: str, *, finite: bool = True, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """An array, bfloat16 as uint16, or InputError. finite: floats that are not are an error; out: an array in one
        piece, and of its shape and type, which is filled."""
        shape, dtype = self.form(name)
        entry = self._entry(name)
        begin, end = entry["data_offsets"]
        if out is None:
            data = empty(end - begin, np.dtype(np.uint8))
        elif (out.shape, out.dtype) == (shape, dtype) and out.flags.c_contiguous:
            data = out.reshape(-1).view(np.uint8)
        else:
            raise InputError(f"tensor {name} is {dtype}{shape}, not {out.dtype}{out.shape}")
        at = checksum = 0
        for size in read_into(self._path, self._start + begin, data):
            if self._sums:
                checksum = zlib.crc32(bytes_of(data[at : at + size]), checksum)
            at += size
            self._done += size
            self._progress("loading", min(self._done, self._total), self._total)
        if self._sums and self._sums.get(name) != _hexadecimal(checksum):
            self._damaged = self._damaged or f"tensor {name} has changed since it was written (its checksum differs)"
        array = data.view(dtype).reshape(shape)
        if finite and _NAMES[entry["dtype"]] in HELD:
            wrong = not_finite(array)
            if wrong:
                raise InputError(f"{name} holds {wrong}")
        return array

    def _entry(self, name: str) -> dict[str, Any]:
        if name not in self._entries:
            raise InputError(f"tensor {name} is missing")
        entry: dict[str, Any] = self._entries[name]
        return entry

    def verify(self) -> None:
        """InputError where an array that was read, or the settings, are not what was written. Called last: a message
        about a wrong value says more than that something has changed."""
        if self._damaged:
            raise InputError(self._damaged)

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        """A one-dimensional array of the given type and length, or InputError."""
        entry = self._entry(name)
        own_type, shape = _NAMES.get(entry["dtype"], entry["dtype"]), tuple(entry["shape"])
        if len(shape) != 1 or own_type != kind or (length is not None and shape[0] != length):
            raise InputError(
                f"tensor {name} is {own_type}{shape}, not {kind} of "
                + (f"length {length}" if length is not None else "one dimension")
            )
        return self.read(name)


@dataclass(frozen=True)
class PartOfFile:
    """Those arrays of a file whose names begin with `prefix`, under the rest of their names."""

    file: TensorFile
    prefix: str

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        """See TensorFile.array."""
        return self.file.array(self.prefix + name, kind, length)


# What is raised on the way where JSON of a file is not what it must be.
_DAMAGED = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, struct.error)


@contextmanager
def opened(
    path: str | os.PathLike[str], entry: str, versions: Sequence[int], kind: str, progress: Progress = silent
) -> Iterator[TensorFile]:
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
        if not isinstance(config, dict):
            raise InputError(f"its settings must be a JSON object, not {type(config).__name__}")
        if config.get("version") not in versions:
            raise InputError(
                f"{path} has format version {config.get('version')!r:.80}; this release reads version "
                f"{' and '.join(map(str, versions))}"
            )
        tensors = TensorFile(path, config, progress)
        yield tensors
        tensors.verify()
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except SafetensorError as error:
        raise InputError(f"{path} is truncated or not a {kind} ({error})") from error
    except RecursionError as error:
        raise InputError(f"{path} has damaged settings: JSON that is nested too deep") from error
    except _DAMAGED as error:
        raise InputError(f"{path} has damaged settings: {error!r}") from error
