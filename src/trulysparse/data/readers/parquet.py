""".parquet files, in memory or streamed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.arrow_table import check_types, columns_of, frame_of, numbers_of
from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.frame_table import table_of
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.request import Request
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError


def read_parquet(request: Request) -> Table:
    """A table in memory or, with stream, one whose samples stay in the file and must be numbers."""
    path, stream = request.path, request.options.stream
    file = open_parquet(path)
    with guarded(path, ".parquet"):
        if file.metadata.num_rows == 0:
            raise InputError(f"DATA: '{path}' has no rows")
        schema = file.schema_arrow
        choice = choose(request, columns_of(schema))
        check_types(schema, choice.features, numbers_only=stream)
        check_types(schema, [c for c in choice.columns if c not in choice.features], numbers_only=False)
        if not stream:
            return table_of(request, frame_of(file.read(columns=choice.columns)), choice)
        blocks = ParquetBlocks(path, choice.features)
        beside = frame_of(file.read(columns=[c for c in choice.columns if c not in choice.features]))
        table = table_of(request, beside.assign(**dict.fromkeys(choice.features, 0)), choice)
    table.X = StreamMatrix(blocks)
    return table


class ParquetBlocks:
    """The columns `features` of a .parquet file; its row groups are the blocks."""

    def __init__(self, path: Path, features: list[str]) -> None:
        self._path, self._file, self.features = path, open_parquet(path), features
        self._lock = threading.Lock()  # several readers share the file and its one position
        self.n_features = len(features)
        sizes = [self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups)]
        self.bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.block_bytes = max(sizes, default=0) * self.n_features * 8

    def read(self, block: int) -> NDArray[np.float64]:
        """The samples of a row group."""
        with guarded(self._path, ".parquet"), self._lock:
            table = self._file.read_row_group(block, columns=self.features)
            return np.ascontiguousarray(numbers_of(table, self.features).to_numpy(dtype=np.float64))


def open_parquet(path: Path) -> Any:
    """A .parquet file."""
    try:
        import pandas  # noqa: F401  # to_pandas needs it
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading .parquet files", "pandas and pyarrow", "tables") from None
    with guarded(path, ".parquet"):
        return pq.ParquetFile(path)
