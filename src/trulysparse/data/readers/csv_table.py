""".csv files. Their form is checked here before pandas reads them, as pandas pads short rows and shifts long ones."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.guard import guarded
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError

_ADVICE = "give --no-header to take that line as a sample, or --header if these are names"
_ADVICE_LATER = "give --no-header if its columns are those that the run was trained on, in the same order"
# What counts as missing among features: pandas' list, written out because it must not apply to the label column.
_MISSING = frozenset(
    "|NA|N/A|n/a|<NA>|#NA|#N/A|#N/A N/A|NULL|null|None|nan|NaN|-nan|-NaN|1.#IND|-1.#IND|1.#QNAN|-1.#QNAN".split("|")  # noqa: SIM905
)


def read_csv(
    path: Path,
    target: str | None,
    features: list[str] | None,
    need_target: bool,
    header: bool | None,
    columns_before: list[str] | None,
) -> Table:
    """A table in memory. header: whether the first line names the columns; None: it must, and one that looks like a
    sample is refused. Without a header columns are called as in the file that the run was trained on (columns_before),
    or as its features where only those are there; in training 0, 1, 2, ..."""
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("reading .csv files", "pandas and pyarrow", "tables") from None
    with guarded(path, ".csv"):
        first = _check_form(path, header is not False, features)
    numbered = header is False
    names = first
    if numbered:
        known = (columns for columns in (columns_before, features) if columns and len(columns) == len(first))
        names = next(known, [str(i) for i in range(len(first))])
    if header is None and (features is None or not set(features) <= set(names)):
        _doubt(path, names, _ADVICE_LATER if features else _ADVICE)
    row_names = not numbered and len(names) > 1 and names[0] == ""
    present = names[1:] if row_names else names
    if "" in present:
        at = names.index("", 1 if row_names else 0)
        raise InputError(
            f"DATA: '{path}' has no name for column {at + 1} in its header; "
            "a comma at the end of a line begins one more"
        )
    name, columns = choose(path, present, target, features, need_target)
    with guarded(path, ".csv"):
        frame = pd.read_csv(
            path.resolve(),  # pandas takes a relative name such as http:.csv for an address
            names=names,
            header=None if numbered else 0,
            index_col=False,
            usecols=columns if name is None else [*columns, name],
            keep_default_na=False,
            na_values={column: [""] if column == name else sorted(_MISSING) for column in present},
            low_memory=False,  # else pandas may change a column's type between chunks
            encoding="utf-8-sig",
        )
    if len(frame) == 0:
        raise InputError(f"DATA: '{path}' has no rows")
    X = frame[columns]
    other = [column for column in columns if not pd.api.types.is_numeric_dtype(X[column])]
    if other:
        X = X.assign(**{column: _numbers(X[column], pd) for column in other})
    y = None if name is None else _labels(frame[name], pd)
    return Table(X, y, features=columns, target=name, columns=present)


def _check_form(path: Path, named: bool, features: list[str] | None) -> list[str]:
    """The fields of the first line; InputError where another line has more or fewer, or commas do not separate."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first, text = next(((at, line) for at, line in enumerate(file, start=1) if line.strip()), (0, ""))
        if not text:
            raise InputError(f"DATA: file '{path}' is empty")
        names, number = _record(first, text, file)
        if len(names) == 1 and names != features and not names[0].startswith("#"):
            for mark, called in ((";", "';'"), ("\t", "tabs"), ("|", "'|'"), (" ", "spaces")):
                if mark in names[0].strip():
                    raise InputError(
                        f"DATA: '{path}' seems to be separated by {called}; the separator in .csv files must be a comma"
                    )
        for line in file:
            number += 1
            if not line.strip():
                continue
            at, width = number, line.count(",") + 1
            if '"' in line:
                fields, number = _record(number, line, file)
                width = len(fields)
            if width != len(names):
                first_one = "the header" if named else f"line {first}"
                hint = "; a comma at the end of a line begins one more" if width == len(names) + 1 else ""
                raise InputError(
                    f"DATA: '{path}', line {at} has {_fields(width)}, but {first_one} has {len(names)}{hint}"
                )
    return names


def _record(number: int, line: str, file: Iterator[str]) -> tuple[list[str], int]:
    """(fields, number of the last line) of the record that begins with `line`: a quoted field may hold line breaks."""
    reader = csv.reader(chain([line], file))
    fields = next(reader)
    return fields, number + reader.line_num - 1


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"


def _doubt(path: Path, names: list[str], advice: str) -> None:
    """InputError with advice where a header looks like a sample: numbers, with at most one text (a class) among them.
    Names that count, such as 0, 1, 2, class, are names."""
    numbers = [name for name in names if _is_number(name)]
    texts = sum(name not in _MISSING and name != "?" for name in names) - len(numbers)
    counted = all(name.isdecimal() for name in numbers) and all(int(b) == int(a) + 1 for a, b in pairwise(numbers))
    if not numbers or texts > 1 or (texts == 1 and counted and (len(numbers) > 1 or numbers == ["0"])):
        return
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    raise InputError(f"DATA: '{path}' seems to have no header: its first line is {shown}; {advice}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def _numbers(column: Any, pd: Any) -> Any:
    """A column that pandas does not take as numbers, though all that it holds may be numbers and gaps."""
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # of whole numbers only
        raise InputError(f"DATA: column '{column.name}' holds a number beyond the range of float64") from None
    text = (numbers.isna() & column.notna()).to_numpy()
    if text.any():
        row = int(text.argmax())
        raise InputError(
            f"DATA: column '{column.name}' must hold numbers only, but row {row} holds {column.iloc[row]!r}"
        )
    return numbers.astype(np.float64)


def _labels(column: Any, pd: Any) -> NDArray[Any]:
    """The labels as they stand; an empty one is missing, and so is what pandas counts as missing among numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column)
    blank = column.isna() | column.astype(str).str.strip().eq("")
    labels = column.astype(object).where(~blank, None)
    said = labels.isin(_MISSING)
    if (
        said.any()
        and not (said | blank).all()
        and pd.to_numeric(labels[~(said | blank)], errors="coerce").notna().all()
    ):
        labels = labels.where(~said, None)
    return np.asarray(labels, dtype=object)
