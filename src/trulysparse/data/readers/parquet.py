""".parquet files, in memory or streamed: both by the same rules, which look at the types in the file's schema."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.guard import guarded
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError


def read_parquet(
    path: Path, target: str | None, features: list[str] | None, need_target: bool, stream: bool = False
) -> Table:
    """A table in memory or, with stream, one whose samples stay in the file."""
    file = open_parquet(path)
    with guarded(path, ".parquet"):
        if file.metadata.num_rows == 0:
            raise InputError(f"DATA: '{path}' has no rows")
        schema = file.schema_arrow
        name, columns = choose(path, _columns(schema), target, features, need_target)
        for column in columns:
            _check_type(column, schema.field(column).type)
        y = None if name is None else _labels(file.read(columns=[name]).column(name))
        X = StreamMatrix(ParquetBlocks(path, columns)) if stream else numbers(file.read(columns=columns), columns)
    return Table(X, y, features=columns, target=name)


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
            return np.ascontiguousarray(numbers(table, self.features).to_numpy(dtype=np.float64))


def open_parquet(path: Path) -> Any:
    """A .parquet file."""
    try:
        import pandas  # noqa: F401  # to_pandas needs it
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading .parquet files", "pandas and pyarrow", "tables") from None
    with guarded(path, ".parquet"):
        return pq.ParquetFile(path)


def numbers(table: Any, columns: list[str]) -> Any:
    """A DataFrame of the columns, all of them numbers; gaps are NaN."""
    import pyarrow as pa

    def plain(column: Any) -> Any:
        gaps_in_bools = pa.types.is_boolean(column.type) and column.null_count > 0
        return column.cast(pa.float64()) if gaps_in_bools or pa.types.is_decimal(column.type) else column

    casted = {column: plain(table.column(column)) for column in columns}
    return pa.table(casted).to_pandas()


def _columns(schema: Any) -> list[str]:
    """The names of the columns without those that pandas wrote as an index."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    return [str(name) for name in schema.names if name not in index]


def _check_type(column: str, kind: Any) -> None:
    from pyarrow import types

    number = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
    if not any(is_one(kind) for is_one in number):
        raise InputError(f"DATA: column '{column}' must hold numbers only, but it is of type {kind}")


def _labels(column: Any) -> NDArray[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    labels: NDArray[Any] = column.to_pandas().to_numpy()
    return labels
