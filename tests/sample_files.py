"""Files of samples, and how they are read or refused, for several test files."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import trulysparse as ts
from trulysparse.data import Reader
from trulysparse.data.files import ReadOptions, Table, read
from trulysparse.data.readers.parquet import ParquetBlocks
from trulysparse.data.stream import blocks
from trulysparse.data.stream.blocks import CsrBlocks, LibsvmBlocks, NpyBlocks


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def read_as(source: object, **options: object) -> Table:
    """read, with the fields of ReadOptions and its other arguments side by side."""
    names = {field.name for field in fields(ReadOptions)}
    chosen = ReadOptions(**{name: value for name, value in options.items() if name in names})
    return read(str(source), chosen, **{name: value for name, value in options.items() if name not in names})


def refused(source: object, match: str, **options: object) -> None:
    with pytest.raises(ts.InputError, match=match) as found:
        read_as(source, **options)
    message = str(found.value)
    assert len(message.splitlines()) == 1
    assert Path(str(source)).name in message or "column '" in message
    assert not re.search(r"np\.\w+\(|Timestamp\(", message)


def fails(path: Path, stream: bool = False) -> bool:
    """Whether a damaged file is refused; anything but a sentence is raised."""
    try:
        X = read_as(path, stream=stream).X
        if stream:
            X.chunk(0, X.n_samples)
    except ts.InputError as error:
        message = str(error)
    else:
        return False
    assert len(message.splitlines()) == 1
    return True


def parquet_table(folder: Path, **columns: object) -> Path:
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    pa = pytest.importorskip("pyarrow", reason="pyarrow comes with the extra trulysparse[tables]")
    from pyarrow.parquet import write_table

    write_table(pa.table(columns), folder / "x.parquet")
    return folder / "x.parquet"


class Counted:
    """Blocks in memory that count what is read."""

    def __init__(self, X, rows: int) -> None:
        self.X, self.n_features = X, X.shape[1]
        self.bounds = np.append(np.arange(0, len(X), rows), len(X))
        self.block_bytes = rows * X.shape[1] * 8
        self.reads: list[int] = []

    def read(self, block: int):
        self.reads.append(block)
        return self.X[self.bounds[block] : self.bounds[block + 1]].copy()


def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 200)


def loaded(reader: Reader, rows: np.ndarray, n_features: int = 7) -> np.ndarray:
    out = np.zeros((n_features, 16), np.float32)
    found = []
    for start in range(0, len(rows), 16):
        some = rows[start : start + 16]
        reader.load(some, out, None, 1)
        found.append(out[:, : len(some)].T.copy())
    return np.concatenate(found)


def npy(folder: Path, X: np.ndarray) -> NpyBlocks:
    np.save(folder / "X.npy", X)
    return NpyBlocks(folder / "X.npy")


def csr(folder: Path, X: np.ndarray) -> CsrBlocks:
    matrix = sp.csr_array(X)
    for part in ("indptr", "indices", "data"):
        np.save(folder / f"X_{part}.npy", getattr(matrix, part))
    return CsrBlocks(folder / "X")


def libsvm(folder: Path, X: np.ndarray) -> LibsvmBlocks:
    dump_svmlight_file(X, np.arange(len(X)) % 3, str(folder / "x.libsvm"), zero_based=False)
    return LibsvmBlocks(folder / "x.libsvm")


def parquet(folder: Path, X: np.ndarray) -> ParquetBlocks:
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    names = [f"f{i}" for i in range(X.shape[1])]
    pd.DataFrame(X, columns=names).to_parquet(folder / "x.parquet", row_group_size=10)
    return ParquetBlocks(folder / "x.parquet", names)


def rewritten(path, change):
    """The same file with other settings, and without its checksums, which would give them away."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + size])
    head["__metadata__"].pop("crc32", None)
    (entry,) = head["__metadata__"]
    config = json.loads(head["__metadata__"][entry])
    change(config)
    head["__metadata__"][entry] = json.dumps(config)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])
