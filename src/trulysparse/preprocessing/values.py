"""The values of a column as numbers, or as codes of distinct texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

Texts = NDArray[np.object_]
_TRUTH = {"true": 1.0, "false": 0.0}


def numbers(series: Any, name: str, column: str) -> NDArray[np.float64]:
    """The numbers of a column, NaN where there is a gap.

    Args:
        series: the column.
        name: how messages call the table.
        column: the column's name.

    Returns:
        (n_rows,) float64; the column's own memory where it holds float64.

    Raises:
        InputError: at the first value that is not a finite number.
    """
    import pandas as pd

    if hasattr(series.dtype, "categories"):
        series = series.astype(object)
    kind = getattr(series.dtype, "kind", "O")
    values: NDArray[np.float64]
    if kind in "iufb":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        if kind in "Mmc":
            raise InputError(f"{name}: column '{column}' holds {series.dtype}, but held numbers in fitting")
        values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(np.isnan(values) & series.notna().to_numpy(), series, name, column, "numbers")
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise InputError(f"{name}[{row}, '{column}'] is {values[row]}; features must be finite numbers")
    return values


def truths(series: Any, name: str, column: str) -> NDArray[np.float64]:
    """As numbers, of a column of booleans: 0 and 1, also from numbers and the texts true and false."""
    import pandas as pd

    if getattr(series.dtype, "kind", "O") in "iufb":
        values = numbers(series, name, column)
    else:
        values = np.full(len(series), np.nan)
        codes, texts = distinct(series, name, column)
        if len(texts):
            lower = pd.Series(texts, dtype=object).str.lower()
            found = lower.map(_TRUTH).fillna(pd.to_numeric(lower, errors="coerce")).to_numpy(np.float64)
            values = np.where(codes < 0, np.nan, found[codes])
        _refuse(np.isnan(values) & (codes >= 0), series, name, column, "booleans")
    _refuse((values != 0) & (values != 1) & ~np.isnan(values), series, name, column, "booleans")
    return values


def _refuse(wrong: NDArray[np.bool_], series: Any, name: str, column: str, what: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{name}[{row}, '{column}'] is {series.iloc[row]!r:.60}, but column '{column}' held {what} in the table "
            "that the preprocessing was fitted to"
        )


def distinct(series: Any, name: str, column: str) -> tuple[NDArray[np.int64], Texts]:
    """The distinct values of a column as texts.

    Whole numbers are spelled without a fraction, whatever their type: 1, 1.0 and "1" are the same category.

    Args:
        series: the column.
        name: how messages call the table.
        column: the column's name.

    Returns:
        (codes, texts): which text each row has, (n_rows,), -1 for a gap; the texts in the order in which they come.

    Raises:
        InputError: where values are lists or the like.
    """
    import pandas as pd

    dtype = series.dtype
    if hasattr(dtype, "categories"):
        codes = series.cat.codes.to_numpy().astype(np.int64)
        return _in_order(codes, _texts(np.asarray(dtype.categories, dtype=object)))
    mixed = getattr(dtype, "kind", "O") == "O" and not isinstance(dtype, pd.StringDtype)
    if mixed and pd.api.types.infer_dtype(series, skipna=True) != "string":
        return _distinct_mixed(series, name, column)
    codes, uniques = pd.factorize(series)
    texts = np.asarray(uniques, dtype=object)
    if isinstance(dtype, pd.StringDtype) or getattr(dtype, "kind", "O") not in "iufb":
        return codes, texts
    return _in_order(codes, _texts(texts))


def _distinct_mixed(series: Any, name: str, column: str) -> tuple[NDArray[np.int64], Texts]:
    """As distinct, of objects of several types: type by type, as True and 1 are equal but not the same."""
    import pandas as pd

    values = series.to_numpy(dtype=object)
    known = np.flatnonzero(series.notna().to_numpy())
    kinds, types = pd.factorize(pd.Series(values[known], dtype=object).map(type))
    codes = np.full(len(values), -1, np.int64)
    texts: list[Texts] = []
    n_texts = 0
    for number in range(len(types)):
        rows = known[kinds == number]
        try:
            own, uniques = pd.factorize(pd.Series(values[rows], dtype=object))
        except TypeError:
            raise InputError(
                f"{name}[{rows[0]}, '{column}'] is {values[rows[0]]!r:.60}; a column must hold single values"
            ) from None
        codes[rows] = own + n_texts
        texts.append(_texts(np.asarray(uniques, dtype=object)))
        n_texts += len(uniques)
    return _in_order(codes, np.concatenate(texts) if texts else np.empty(0, object))


def _texts(values: Texts) -> Texts:
    out = np.empty(len(values), object)
    out[:] = [text_of(value) for value in values]
    return out


def text_of(value: Any) -> str:
    """How a category is spelled."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**63 else str(value)
    return str(value)


def _in_order(codes: NDArray[Any], texts: Texts) -> tuple[NDArray[np.int64], Texts]:
    """Codes and texts with each text once, in the order in which rows have them; those of no row are left out."""
    import pandas as pd

    same, merged = pd.factorize(texts)
    known: NDArray[np.bool_] = np.greater_equal(codes, 0)
    order, kept = pd.factorize(same[codes[known]])
    out = np.full(len(codes), -1, np.int64)
    out[known] = order
    return out, np.asarray(merged, dtype=object)[kept]
