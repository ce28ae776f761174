"""Files of samples that are read block by block: .npy, CSR in .npy files, .libsvm."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from trulysparse._core.files import read_into
from trulysparse.data.readers.guard import guarded, one_line
from trulysparse.data.readers.libsvm import libsvm_table, numbering
from trulysparse.data.readers.request import Request
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError

BLOCK_BYTES = 8 << 20


def even_bounds(n_samples: int, sample_bytes: float) -> NDArray[np.int64]:
    """Blocks of about BLOCK_BYTES."""
    rows = max(1, int(BLOCK_BYTES // max(1, sample_bytes)))
    return np.append(np.arange(0, n_samples, rows), n_samples).astype(np.int64)


class NpyBlocks:
    """A two-dimensional .npy file. It is read, not mapped, so that used blocks leave memory."""

    def __init__(self, path: Path) -> None:
        mapped = open_npy(path, 2)
        if not mapped.flags.c_contiguous:
            raise InputError(f"DATA: '{path}' is stored column by column; store it row by row (order='C')")
        self._path, self._dtype, self._offset = path, mapped.dtype, int(mapped.offset)
        n_samples, self.n_features = mapped.shape
        self._row_bytes = self.n_features * self._dtype.itemsize
        self.bounds = even_bounds(n_samples, self._row_bytes)
        self.block_bytes = int(np.diff(self.bounds).max()) * self._row_bytes

    def read(self, block: int) -> NDArray[Any]:
        """The samples of a block."""
        start, stop = int(self.bounds[block]), int(self.bounds[block + 1])
        out = np.empty((stop - start, self.n_features), self._dtype)
        _read_whole(self._path, self._offset + start * self._row_bytes, out)
        return out


class CsrBlocks:
    """A CSR matrix in three .npy files: PREFIX_indptr, PREFIX_indices, PREFIX_data; the row pointers are kept in
    memory."""

    def __init__(self, prefix: Path, n_features: int | None = None) -> None:
        self._parts = {
            name: open_npy(prefix.with_name(f"{prefix.name}_{name}.npy"), 1) for name in ("indptr", "indices", "data")
        }
        for name in ("indptr", "indices"):
            if self._parts[name].dtype.kind not in "iu":
                raise InputError(f"DATA: '{prefix}_{name}.npy' must hold whole numbers, not {self._parts[name].dtype}")
        indptr = np.asarray(self._parts["indptr"]).astype(np.int64)
        stored = len(self._parts["indices"])
        if len(indptr) < 2 or indptr[0] != 0 or indptr[-1] != stored or (np.diff(indptr) < 0).any():
            raise InputError(f"DATA: '{prefix}_indptr.npy' does not rise from 0 to the {stored} stored values")
        if len(self._parts["data"]) != stored:
            raise InputError(f"DATA: '{prefix}_data.npy' and '{prefix}_indices.npy' differ in length")
        self._indptr = indptr
        self._name = prefix
        self.n_features = self._width() if n_features is None else n_features
        self._value_bytes = sum(self._parts[name].dtype.itemsize for name in ("indices", "data"))
        n_samples = len(indptr) - 1
        self.bounds = even_bounds(n_samples, self._value_bytes * stored / n_samples)
        self.block_bytes = int(np.diff(indptr[self.bounds]).max()) * self._value_bytes

    def _width(self) -> int:
        indices, widest = self._parts["indices"], -1
        for start in range(0, len(indices), 1 << 22):
            widest = max(widest, int(indices[start : start + (1 << 22)].max()))
        return widest + 1

    def read(self, block: int) -> sp.csr_array:
        """The samples of a block."""
        start, stop = int(self.bounds[block]), int(self.bounds[block + 1])
        begin, end = int(self._indptr[start]), int(self._indptr[stop])
        parts = {}
        for name in ("indices", "data"):
            part = self._parts[name]
            parts[name] = np.empty(end - begin, part.dtype)
            _read_whole(Path(part.filename), int(part.offset) + begin * part.dtype.itemsize, parts[name])
        indices = parts["indices"]
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.n_features:
            raise InputError(f"DATA: '{self._name}_indices.npy' holds a column that is not below {self.n_features}")
        shape = (stop - start, self.n_features)
        return sp.csr_array((parts["data"], indices, self._indptr[start : stop + 1] - begin), shape=shape)


class LibsvmBlocks:
    """A .libsvm file. One pass at the start finds the lines, the labels `y` (an array, or a list of tuples where a
    sample has any number of them) and the query ids `qid`. n_features, zero_based: see readers.libsvm.numbering."""

    def __init__(self, path: Path, n_features: int | None = None, zero_based: bool | None = None) -> None:
        self._path = path
        starts, lines, at = [0], [0], 0
        labels: list[Any] = []
        qid: list[int] = []
        least, greatest = 1, 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.split(b"#", 1)[0].split()
                at += len(line)
                if text:
                    try:
                        label, values = _label(text)
                        labels.append(label)
                        if values and values[0].startswith(b"qid:"):
                            qid.append(int(values.pop(0)[4:]))
                        for value in (*values[:1], *values[-1:]):
                            index = int(value.split(b":")[0])
                            least, greatest = min(least, index), max(greatest, index)
                    except ValueError:
                        raise InputError(f"DATA: '{path}' is not a libsvm file (line {number})") from None
                if at - starts[-1] >= BLOCK_BYTES:
                    starts.append(at)
                    lines.append(len(labels))
        if at > starts[-1]:
            starts.append(at)
            lines.append(len(labels))
        self._starts = starts
        self._multilabel = any(isinstance(label, tuple) for label in labels)
        self.y: Any = (
            np.array(labels)
            if not self._multilabel
            else [label if isinstance(label, tuple) else (label,) for label in labels]
        )
        self.qid = np.array(qid, np.int64)
        self.zero_based, self.n_features = numbering(path, least, greatest, n_features, zero_based)
        self.bounds = np.array(lines, np.int64)
        self.block_bytes = 2 * int(np.diff(starts).max()) if labels else 0

    def read(self, block: int) -> sp.csr_array:
        """The samples of a block of lines."""
        text = np.empty(self._starts[block + 1] - self._starts[block], np.uint8)
        _read_whole(self._path, self._starts[block], text)
        try:
            X, _ = load_svmlight_file(
                io.BytesIO(text.tobytes()),
                n_features=self.n_features,
                dtype=np.float32,
                zero_based=self.zero_based,
                multilabel=self._multilabel,
            )
        except (ValueError, OverflowError) as error:
            raise InputError(f"DATA: '{self._path}' is not a libsvm file ({one_line(error)})") from None
        return sp.csr_array(X)


def _label(text: list[bytes]) -> tuple[float | tuple[float, ...], list[bytes]]:
    """(label, or a tuple where there are none or several, the rest of the line)."""
    if b":" in text[0]:
        return (), text
    if b"," in text[0]:
        return tuple(map(float, text[0].split(b","))), text[1:]
    return float(text[0]), text[1:]


def stream_libsvm(request: Request) -> Table:
    """A table whose samples stay in the file."""
    with guarded(request.path, ".libsvm"):
        blocks = LibsvmBlocks(request.path, request.n_features, request.options.zero_based)
    if len(blocks.y) == 0:
        raise InputError(f"DATA: '{request.path}' has no samples")
    return libsvm_table(request, StreamMatrix(blocks), blocks.y, blocks.qid, blocks.zero_based)


def open_npy(path: Path, n_dimensions: int) -> Any:
    """A .npy file of numbers as a memory map, its header checked against its length."""
    mapped = load_npy(path, mmap_mode="r")
    if mapped.ndim != n_dimensions or mapped.dtype.kind not in "iufb" or 0 in mapped.shape:
        raise InputError(
            f"DATA: '{path}' must hold numbers in {n_dimensions} dimensions, not {mapped.dtype} {mapped.shape}"
        )
    return mapped


def load_npy(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """The array of a .npy file; never unpickled."""
    if not path.is_file():
        raise InputError(f"DATA: file '{path}' does not exist")
    with guarded(path, ".npy"):
        try:
            array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" not in str(error) and "Python objects" not in str(error):
                raise
            raise InputError(
                f"DATA: '{path}' holds Python objects, which cannot be read without pickle; store plain arrays"
            ) from None
        if not isinstance(array, np.ndarray):
            raise InputError(f"DATA: '{path}' is an archive of arrays, not a .npy file")
        return array


def _read_whole(path: Path, offset: int, out: NDArray[Any]) -> None:
    for _ in read_into(path, offset, out):
        pass
