"""Files of samples that are read block by block: .npy, CSR in .npy files, .parquet, .libsvm."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._files import read_into
from trulysparse.errors import InputError, MissingExtraError

BLOCK_BYTES = 8 << 20


def even_bounds(n_samples: int, sample_bytes: float) -> NDArray[np.int64]:
    """Blocks of about BLOCK_BYTES."""
    rows = max(1, int(BLOCK_BYTES // max(1, sample_bytes)))
    return np.append(np.arange(0, n_samples, rows), n_samples).astype(np.int64)


class NpyBlocks:
    """A two-dimensional .npy file. It is read, not mapped: what has been used does not stay in memory."""

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
        found = {}
        for name in ("indices", "data"):
            part = self._parts[name]
            found[name] = np.empty(end - begin, part.dtype)
            _read_whole(Path(part.filename), int(part.offset) + begin * part.dtype.itemsize, found[name])
        indices = found["indices"]
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.n_features:
            raise InputError(f"DATA: '{self._name}_indices.npy' holds a column that is not below {self.n_features}")
        shape = (stop - start, self.n_features)
        return sp.csr_array((found["data"], indices, self._indptr[start : stop + 1] - begin), shape=shape)


class ParquetBlocks:
    """The columns `features` of a .parquet file; its row groups are the blocks."""

    def __init__(self, path: Path, features: list[str]) -> None:
        self._file, self._features = open_parquet(path), features
        self._lock = threading.Lock()  # several readers share the file, which knows one position only
        self.n_features = len(features)
        sizes = [self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups)]
        self.bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.block_bytes = max(sizes, default=0) * self.n_features * 8

    def read(self, block: int) -> NDArray[np.float64]:
        """The samples of a row group."""
        with self._lock:
            table = self._file.read_row_group(block, columns=self._features)
        frame = table.to_pandas()
        return np.ascontiguousarray(frame[self._features].to_numpy(dtype=np.float64, na_value=np.nan))


class LibsvmBlocks:
    """A .libsvm file, whose lines are found in one pass at the start; labels are in `y`."""

    def __init__(self, path: Path, n_features: int | None = None) -> None:
        self._path = path
        starts, lines, at = [0], [0], 0
        labels: list[float] = []
        least, widest = 1, 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.split(b"#", 1)[0].split()
                at += len(line)
                if text:
                    try:
                        labels.append(float(text[0]))
                        for feature in (text[1:2], text[-1:] if len(text) > 1 else []):
                            index = int(feature[0].split(b":")[0]) if feature else 1
                            least, widest = min(least, index), max(widest, index)
                    except ValueError:
                        raise InputError(f"DATA: '{path}' is not a libsvm file (line {number})") from None
                if at - starts[-1] >= BLOCK_BYTES:
                    starts.append(at)
                    lines.append(len(labels))
        if at > starts[-1]:
            starts.append(at)
            lines.append(len(labels))
        self._starts = starts
        self.y = np.array(labels)
        self._from_zero = least == 0  # as scikit-learn guesses it, from the whole file
        self.n_features = widest + self._from_zero if n_features is None else n_features
        self.bounds = np.array(lines, np.int64)
        self.block_bytes = 2 * int(np.diff(starts).max()) if labels else 0

    def read(self, block: int) -> sp.csr_array:
        """The samples of a block of lines."""
        from sklearn.datasets import load_svmlight_file

        text = np.empty(self._starts[block + 1] - self._starts[block], np.uint8)
        _read_whole(self._path, self._starts[block], text)
        try:
            X, _ = load_svmlight_file(
                io.BytesIO(text.tobytes()),
                n_features=self.n_features,
                dtype=np.float32,
                zero_based=self._from_zero,
            )
        except ValueError as error:
            raise InputError(f"DATA: '{self._path}' is not a libsvm file ({error})") from None
        return sp.csr_array(X)


def open_npy(path: Path, n_dimensions: int) -> Any:
    """A .npy file as a memory map, its header checked against its length."""
    if not path.is_file():
        raise InputError(f"DATA: file '{path}' does not exist")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"DATA: '{path}' is not a whole .npy file ({error})") from None
    if mapped.ndim != n_dimensions or mapped.dtype.kind not in "iufb" or 0 in mapped.shape:
        raise InputError(
            f"DATA: '{path}' must hold numbers in {n_dimensions} dimensions, not {mapped.dtype} {mapped.shape}"
        )
    return mapped


def open_parquet(path: Path) -> Any:
    """A .parquet file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading .parquet files", "pyarrow", "tables") from None
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"DATA: '{path}' is not a whole .parquet file ({error})") from None


def _read_whole(path: Path, offset: int, out: NDArray[Any]) -> None:
    for _ in read_into(path, offset, out):
        pass
