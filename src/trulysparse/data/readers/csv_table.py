"""Text tables: .csv, .tsv and their like. Form and widths of lines are looked at before pandas reads them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.csv_form import CsvForm, detect_form, given_separator, shown
from trulysparse.data.readers.csv_widths import ends_in_separator
from trulysparse.data.readers.encoding import as_bytewise, encoding_of
from trulysparse.data.readers.frame_table import table_of
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.request import Request
from trulysparse.data.readers.text_columns import MISSING
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError

_ADVICE = "give --no-header to take that line as a sample, or --header if these are names"
_ADVICE_LATER = "give --no-header if its columns are those that the run was trained on, in the same order"
_STRAY = "\0stray"
"""What the column that a separator at the end of lines begins is called while it is read."""


def read_csv(request: Request, content: Content | None = None) -> Table:
    """A table in memory. Without a header columns are called as in the file that the run was trained on, or as its
    features where only those are there; in training 0, 1, 2, ..."""
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("reading .csv files", "pandas and pyarrow", "tables") from None
    path, header, features = request.path, request.options.header, request.features
    separator = given_separator(request.options.separator)
    with guarded(path, ".csv"):
        content = Content(path) if content is None else content
        written_in = encoding_of(content, request.options.encoding)
        content, encoding = as_bytewise(content, written_in)
        likely = request.layout.get("separator")
        form = detect_form(content, encoding, separator, features, likely, header is not False)
        longer = ends_in_separator(content, form, header is not False)
    if not written_in.startswith("utf-8") and request.options.encoding is None:
        form.notes.insert(0, f"encoding: {written_in} (detected)")
    if len(form.first) == 1 and features is None:
        raise InputError(
            f"DATA: '{path}' has a single column, '{form.first[0]}', where it is split at {shown(form.separator)}; a "
            "table needs features beside its target (--separator names another character)"
        )
    names, present, row_names = _names(request, form, longer)
    choice = choose(request, present)
    stray = [_STRAY] if _STRAY in names else []
    used = {*choice.columns, *stray}
    with guarded(path, ".csv"), content.open(form.begin if header is False else form.end) as file:
        frame = pd.read_csv(
            file,
            sep=r"\s+" if form.separator == " " else form.separator,
            names=names,
            header=None,
            index_col=False,
            usecols=[name for name in names if name in used],
            keep_default_na=False,
            na_values=_missing_values(present, stray, choice.targets),
            low_memory=False,  # else pandas may change a column's type between chunks
            skipinitialspace=True,
            encoding=encoding.removesuffix("-sig"),
            decimal=form.decimal,
            thousands=form.thousands,
        )
    if stray:
        _require_empty(path, names, frame[_STRAY])
        form.notes.append("an empty column at the end, begun by a separator at the end of each line, left out")
    if row_names:
        form.notes.append("the first column, which has no name, left out as names of rows")
    table = table_of(request, frame, choice, "," if form.separator != "," else ".")
    table.columns = present
    table.notes = form.notes + table.notes
    table.layout = {"separator": form.separator, "encoding": written_in, "decimal": form.decimal}
    return table


def _names(request: Request, form: CsvForm, longer: bool) -> tuple[list[str], list[str], bool]:
    """(names of all fields of a line, names of the columns that can be used, whether the first are names of rows)."""
    path, header, features = request.path, request.options.header, request.features
    wanted = set(features or ())
    names = [name if name in wanted else name.strip() for name in form.first]
    stray = longer or (len(names) > 2 and names[-1] == "" and header is not False)
    if stray and not longer:
        names.pop()
    if header is False:
        names = _names_by_number(request, len(names))
    if header is None and (features is None or not set(features) <= set(names)):
        fields = names if form.decimal == "." else [name.replace(",", ".") for name in names]
        _doubt(path, fields, _ADVICE_LATER if features else _ADVICE)
    row_names = header is not False and len(names) > 1 and names[0] == ""
    present = names[1:] if row_names else names
    if "" in present:
        at = names.index("", 1 if row_names else 0)
        raise InputError(
            f"DATA: '{path}' has no name for column {at + 1} in its header; "
            "a comma at the end of a line begins one more"
        )
    return [*names, _STRAY] if stray else names, present, row_names


def _names_by_number(request: Request, n_columns: int) -> list[str]:
    """The names of a table without a header: those of the run's columns, of all but the targets, or of its features,
    whichever are as many; else numbers."""
    before, target = request.columns or [], request.options.target
    targets = [target] if target in before else [name.strip() for name in (target or "").split(",")]
    features = request.features or []
    for names in (before, [name for name in before if name not in targets], features):
        if names and len(names) == n_columns:
            return list(names)
    numbers = [str(number) for number in range(n_columns)]
    if not set(features) <= set(numbers):
        raise InputError(
            f"DATA: '{request.path}' has {n_columns} columns without names, but the table that was trained on has "
            f"{len(before) or len(features)}; give all of them, with or without the target, in the same order"
        )
    return numbers


def _missing_values(present: list[str], stray: list[str], targets: list[str]) -> dict[str, list[str]]:
    gaps, blank = sorted(MISSING), [""]
    return {name: blank if name in targets else gaps for name in (*present, *stray)}


def _require_empty(path: Path, names: list[str], column: Any) -> None:
    if column.notna().any():
        row = int(column.notna().to_numpy().argmax())
        raise InputError(
            f"DATA: '{path}' has no name for column {len(names)} in its header, which holds '{column.iloc[row]}' in "
            f"row {row}"
        )


def _doubt(path: Path, names: list[str], advice: str) -> None:
    """InputError with advice where a header looks like a sample: numbers, with at most one text (a class) among them.
    Names that count, such as 0, 1, 2, class, are names."""
    numbers = [name for name in names if _is_number(name)]
    texts = sum(name not in MISSING for name in names) - len(numbers)
    counted = all(name.isdecimal() for name in numbers) and all(int(b) == int(a) + 1 for a, b in pairwise(numbers))
    if not numbers or texts > 1 or (texts == 1 and counted and (len(numbers) > 1 or numbers == ["0"])):
        return
    first = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    raise InputError(f"DATA: '{path}' seems to have no header: its first line is {first}; {advice}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")
