"""Tables of Apache Arrow, as .parquet and .feather files hold them, as DataFrames."""

from __future__ import annotations

from typing import Any

from trulysparse.errors import InputError

_NESTED = "is_list", "is_large_list", "is_fixed_size_list", "is_struct", "is_map", "is_union"
_BYTES = "is_binary", "is_large_binary", "is_fixed_size_binary"


def columns_of(schema: Any) -> list[str]:
    """The names of the columns without those that pandas wrote as an index."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    return [str(name) for name in schema.names if name not in index]


def check_types(schema: Any, columns: list[str], *, numbers_only: bool) -> None:
    """InputError where a column holds what cannot be a feature. numbers_only: as streamed samples must."""
    from pyarrow import types

    numbers = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
    refused = [getattr(types, name) for name in (*_NESTED, *_BYTES)]
    for column in columns:
        kind = schema.field(column).type
        if numbers_only and not any(is_one(kind) for is_one in numbers):
            raise InputError(f"--stream: column '{column}' must hold numbers only, but it is of type {kind}")
        inner = kind.value_type if types.is_dictionary(kind) else kind
        if any(is_one(inner) for is_one in refused):
            raise InputError(
                f"DATA: column '{column}' is of type {kind}; a column must hold a number, text, boolean or date per row"
            )


def frame_of(table: Any) -> Any:
    """A DataFrame with pandas' types: gaps are NaN among numbers, pandas.NA among booleans."""
    import pandas as pd
    import pyarrow as pa

    def plain(column: Any) -> Any:
        if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
            return column.cast(pa.float64())
        if pa.types.is_date(column.type):
            return column.cast(pa.timestamp("ns" if pa.types.is_date64(column.type) else "s"))
        return column

    def kept(kind: Any) -> Any:
        return pd.BooleanDtype() if pa.types.is_boolean(kind) and kind in gaps else None

    casted = {name: plain(table.column(name)) for name in table.column_names}
    gaps = [column.type for column in casted.values() if pa.types.is_boolean(column.type) and column.null_count]
    frame = pa.table(casted).to_pandas(types_mapper=kept if gaps else None)
    full = {name for name, column in casted.items() if pa.types.is_boolean(column.type) and not column.null_count}
    return frame.astype(dict.fromkeys(full, bool)) if gaps and full else frame


def numbers_of(table: Any, columns: list[str]) -> Any:
    """A DataFrame of columns that are all numbers; gaps are NaN."""
    import pyarrow as pa

    def plain(column: Any) -> Any:
        gaps_in_bools = pa.types.is_boolean(column.type) and column.null_count > 0
        return column.cast(pa.float64()) if gaps_in_bools or pa.types.is_decimal(column.type) else column

    return pa.table({column: plain(table.column(column)) for column in columns}).to_pandas()
