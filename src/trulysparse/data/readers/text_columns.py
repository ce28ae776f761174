"""What the text in a column of a DataFrame stands for: booleans, dates, numbers, or text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

# What counts as missing among features: pandas' list and '?', written out because it must not apply to labels.
MISSING = frozenset(
    "|NA|N/A|n/a|<NA>|#NA|#N/A|#N/A N/A|NULL|null|None|nan|NaN|-nan|-NaN|1.#IND|-1.#IND|1.#QNAN|-1.#QNAN|?".split("|")  # noqa: SIM905
)
_DATE = re.compile(r"\d{4}([-/])\d{2}\1\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s?(Z|[+-]\d{2}:?\d{2})?")

_LONGEST = 308  # digits of a whole number that is surely within float64


def is_text(column: Any) -> bool:
    """Whether pandas took the column for text or objects."""
    return str(column.dtype) in ("object", "str", "string")


def typed(column: Any, decimal: str = ".") -> tuple[Any, str | None]:
    """A column with the type that its text stands for.

    Args:
        column: a Series of text and gaps, or of booleans and gaps.
        decimal: ',' where a comma may be a decimal sign.

    Returns:
        (the column: boolean, datetime64, float64 or as it was; a note where most of its text is numbers, or None).

    Raises:
        InputError: where a number is beyond the range of float64.
    """
    import pandas as pd

    present = column.dropna()
    if len(present) == 0:
        return column.astype(np.float64), None
    if present.map(type).eq(bool).all():
        return column.astype("boolean"), None
    first = str(present.iloc[0])
    if _DATE.fullmatch(first) and present.astype(str).str.fullmatch(_DATE.pattern).all():
        dates = _dates(column, pd)
        if dates.isna().sum() == column.isna().sum():
            return dates, None
    numbers = _numbers(column, decimal, pd)
    wrong = numbers.isna() & column.notna()
    if not wrong.any():
        return numbers.astype(np.float64), None
    if not present.map(type).eq(str).all():  # pandas mixes booleans and text
        column = column.map(str, na_action="ignore")
    share = 1 - wrong.sum() / len(present)
    if share < 0.5:
        return column, None
    row = int(wrong.to_numpy().argmax())
    return column, (
        f"column '{column.name}' is taken as text, as row {row} holds {column.iloc[row]!r}, though most of its values "
        "are numbers"
    )


def labels_of(column: Any) -> NDArray[Any]:
    """Labels or values as they stand; an empty one is missing, and so is what pandas counts as missing among
    numbers."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype if column.notna().all() else object)
    if pd.api.types.is_numeric_dtype(column) and isinstance(column.dtype, np.dtype):
        return np.asarray(column)
    if not is_text(column):
        values: NDArray[Any] = column.to_numpy()
        return values
    blank = column.isna() | column.astype(str).str.strip().eq("")
    labels = column.astype(object).where(~blank, None)
    said = labels.isin(MISSING)
    if (
        said.any()
        and not (said | blank).all()
        and pd.to_numeric(labels[~(said | blank)], errors="coerce").notna().all()
    ):
        labels = labels.where(~said, None)
    return np.asarray(labels, dtype=object)


def order_of(column: Any) -> NDArray[Any]:
    """What sorts samples in time: numbers, or dates in nanoseconds."""
    import pandas as pd

    name = column.name
    if is_text(column):
        column, _ = typed(column)
    if is_text(column):
        parsed = pd.to_datetime(column, errors="coerce", format="mixed", utc=True)
        wrong = (parsed.isna() & column.notna()).to_numpy()
        if wrong.any():
            value = column.iloc[int(wrong.argmax())]
            raise InputError(f"--time: column '{name}' holds {value!r}, which is neither a number nor a date")
        column = parsed
    gaps = column.isna().to_numpy()
    if gaps.any():
        raise InputError(f"--time: column '{name}' is empty in row {int(gaps.argmax())}; every sample needs a time")
    if pd.api.types.is_datetime64_any_dtype(column):
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_convert(None)
        nanoseconds: NDArray[np.int64] = column.to_numpy().astype("datetime64[ns]").astype(np.int64)
        return nanoseconds
    if not pd.api.types.is_numeric_dtype(column):
        raise InputError(f"--time: column '{name}' is of type {column.dtype}; it must hold numbers or dates")
    whole = pd.api.types.is_integer_dtype(column)
    numbers: NDArray[Any] = column.to_numpy(dtype=np.int64 if whole else np.float64)
    return numbers


def groups_of(column: Any) -> NDArray[Any]:
    """Which samples belong together."""
    groups = labels_of(column)
    gaps = column.isna().to_numpy() | np.array([value is None for value in groups.tolist()])
    if gaps.any():
        raise InputError(
            f"--group: column '{column.name}' is empty in row {int(gaps.argmax())}; every sample needs a group"
        )
    return groups


def _dates(column: Any, pd: Any) -> Any:
    text = column.astype(object).where(column.notna(), None).map(lambda day: day.replace("/", "-"), na_action="ignore")
    dates = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    return dates.dt.tz_localize(None)


def _numbers(column: Any, decimal: str, pd: Any) -> Any:
    """As _parsed; each distinct text is looked at once."""
    if not isinstance(column.dtype, pd.StringDtype):
        return _parsed(column, decimal, pd)
    codes, texts = pd.factorize(column)
    parsed = _parsed(pd.Series(texts, name=column.name), decimal, pd).to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.append(parsed, np.nan)[codes], index=column.index, name=column.name)


def _parsed(column: Any, decimal: str, pd: Any) -> Any:
    """As numbers; NaN where it is none."""
    try:
        numbers = pd.to_numeric(column, errors="coerce")
        if decimal == "," and (numbers.isna() & column.notna()).any():
            numbers = pd.to_numeric(column.astype(str).str.replace(",", ".", regex=False), errors="coerce")
    except OverflowError:  # of whole numbers only
        raise _beyond_range(column) from None
    left = column[(numbers.isna() & column.notna()).to_numpy()]
    if any(len(text) > _LONGEST and text.lstrip("+-").isdecimal() for text in left if isinstance(text, str)):
        raise _beyond_range(column)  # pandas before 3 takes it as text
    return numbers


def _beyond_range(column: Any) -> InputError:
    return InputError(f"DATA: column '{column.name}' holds a number beyond the range of float64")
