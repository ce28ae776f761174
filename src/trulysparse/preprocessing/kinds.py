"""What a column holds: numbers, booleans or categories. Dates are refused with advice."""

from __future__ import annotations

import re
from typing import Any

from trulysparse.errors import InputError

LEFT_OUT, NUMBER, BOOLEAN, CATEGORY = range(4)
WORDS = {NUMBER: "numbers", BOOLEAN: "booleans", CATEGORY: "categories"}

_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
_DATES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")
_SAMPLE = 200
_TIME = r"([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|[AaPp]\.?[Mm]\.?|[+-]\d{2}:?\d{2})?)?"
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE_TEXTS = [
    re.compile(pattern + _TIME + r"\s*", re.IGNORECASE)
    for pattern in (
        r"\s*(1[5-9]|2\d)\d\d([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])",  # 2024-05-31
        r"\s*(0?[1-9]|[12]\d|3[01])([-/.])(0?[1-9]|[12]\d|3[01])\2(1[5-9]|2\d)\d\d",  # 31.05.2024, 05/31/2024
        r"\s*(0?[1-9]|[12]\d|3[01])/(0?[1-9]|[12]\d|3[01])/\d\d",  # 05/31/24
        rf"\s*(0?[1-9]|[12]\d|3[01])[-. ]+{_MONTH}[-, ]+\d{{2,4}}",  # 31 May 2024
        rf"\s*{_MONTH}[ ]+(0?[1-9]|[12]\d|3[01])(st|nd|rd|th)?,?[ ]+\d{{4}}",  # May 31, 2024
    )
]


def kind_of(series: Any, where: str) -> int:
    """NUMBER, BOOLEAN or CATEGORY.

    Args:
        series: a column of a DataFrame.
        where: how messages call it.

    Raises:
        InputError: where it holds dates or times, complex numbers or nested values.
    """
    from pandas.api.types import infer_dtype

    dtype = series.dtype
    if hasattr(dtype, "categories"):
        if infer_dtype(dtype.categories, skipna=True) in _DATES:
            raise _dates(where)
        return CATEGORY
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return BOOLEAN
    if kind in "iuf":
        return NUMBER
    if kind in "Mm" or str(dtype).startswith("period"):
        raise _dates(where)
    if kind == "c":
        raise InputError(f"{where} holds complex numbers; give real and imaginary part a column each")
    inferred = infer_dtype(series, skipna=True)
    if inferred in _DATES:
        raise _dates(where)
    if inferred == "complex":
        raise InputError(f"{where} holds complex numbers; give real and imaginary part a column each")
    if inferred == "boolean":
        return BOOLEAN
    if inferred in _NUMBERS or inferred == "empty":
        return NUMBER
    if inferred == "string" and _are_dates(series):
        raise _dates(where)
    return CATEGORY


def _are_dates(series: Any) -> bool:
    """Whether a sample of a column of texts, from all its length, are dates without exception."""
    known = series[series.notna().to_numpy()]
    sample = known.iloc[:: max(1, len(known) // _SAMPLE)].tolist()[: 2 * _SAMPLE]
    return bool(sample) and all(any(form.fullmatch(text) for form in _DATE_TEXTS) for text in sample)


def _dates(where: str) -> InputError:
    column = where.rpartition("column ")[2]
    return InputError(
        f"{where} holds dates or times, which are not numbers: turn it into numbers (for example days since a date, or "
        f"year, month and weekday), or leave it out (on the command line: --ignore {column})"
    )
