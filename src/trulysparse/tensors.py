"""safetensors files, written and read an array at a time: no second copy of what they hold in memory. The safetensors
library checks what is read; it writes from copies and knows no bfloat16 in NumPy, so the writing is done here (the
format is a length, a JSON header and the arrays)."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from trulysparse._arrays import HELD, bytes_of, empty, type_name
from trulysparse._files import CHUNK, read_into, write_whole
from trulysparse.errors import InputError
from trulysparse.progress import Progress, silent

_CODES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "uint32": "U32", "int64": "I64",
    "uint64": "U64", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}


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


def _dtype(name: str) -> np.dtype[Any]:
    return HELD.get(name) or np.dtype(name)


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Sequence[Tensor],
    metadata: dict[str, str],
    progress: Progress = silent,
    what: str = "saving",
) -> None:
    """A safetensors file, whole or not at all. OSError where it cannot be written."""
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": _CODES[tensor.type],
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
                for start in range(0, len(data), CHUNK):
                    file.write(data[start : start + CHUNK])
                    done += len(data[start : start + CHUNK])
                    progress(what, done, max(at, 1))

    try:
        write_whole(path, write)
    except OSError as error:
        raise OSError(error.errno, f"{path}: cannot be written: {error.strerror} ({at / 1e9:.3g} GB)") from error


class TensorFile:
    """An open safetensors file: settings, and arrays read one at a time."""

    def __init__(self, path: Path, config: dict[str, Any], progress: Progress) -> None:
        self.config = config
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            self._entries: dict[str, Any] = json.loads(file.read(size))
        self._entries.pop("__metadata__", None)
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

    def read(self, name: str) -> NDArray[Any]:
        """An array, bfloat16 as uint16. KeyError where there is none of this name."""
        entry = self._entries[name]
        if entry["dtype"] not in _NAMES:
            raise InputError(f"tensor {name} is of type {entry['dtype']}, which is not known here")
        begin, end = entry["data_offsets"]
        data = empty(end - begin, np.dtype(np.uint8))
        for size in read_into(self._path, self._start + begin, data):
            self._done += size
            self._progress("loading", min(self._done, self._total), self._total)
        return data.view(_dtype(_NAMES[entry["dtype"]])).reshape(entry["shape"])

    def array(self, name: str, kind: str, length: int | None = None) -> NDArray[Any]:
        """A one-dimensional array of the given type and length, or InputError."""
        if name not in self._entries:
            raise InputError(f"tensor {name} is missing")
        entry = self._entries[name]
        found, shape = _NAMES.get(entry["dtype"], entry["dtype"]), tuple(entry["shape"])
        if len(shape) != 1 or found != kind or (length is not None and shape[0] != length):
            raise InputError(f"tensor {name} is {found}{shape}, not {kind} of length {length}")
        return self.read(name)


@contextmanager
def opened(
    path: str | os.PathLike[str], entry: str, version: int, kind: str, progress: Progress = silent
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
        if config.get("version") != version:
            raise InputError(f"{path} has format version {config.get('version')}; this release reads version {version}")
        yield TensorFile(path, config, progress)
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    except SafetensorError as error:
        raise InputError(f"{path} is truncated or not a {kind} ({error})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} has damaged settings: {error!r}") from error
