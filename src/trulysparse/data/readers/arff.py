""".arff files of Weka: a head of attributes, then rows as in a .csv file or, where most values are 0, in braces."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_svmlight_file

from trulysparse.data.readers.columns import Choice, choose
from trulysparse.data.readers.csv_form import CsvForm
from trulysparse.data.readers.csv_widths import ends_in_separator
from trulysparse.data.readers.encoding import encoding_of
from trulysparse.data.readers.frame_table import table_of, with_features
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError

_QUOTED = r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\""
_NAME = rf"(?:{_QUOTED}|([^\s{{}}'\",]+))"
_ATTRIBUTE = re.compile(rf"@attribute\s+{_NAME}\s+(\{{.*\}}|\w+)", re.IGNORECASE)
_VALUE = re.compile(rf"\s*(?:{_QUOTED}|([^'\",]+))\s*(?:,|$)")
_NUMBERS = "numeric", "real", "integer"


@dataclass
class Attribute:
    """A column. kind: numeric, string, date or nominal; values: the categories of a nominal one."""

    name: str
    kind: str
    values: list[str] | None = None


def read_arff(request: Request) -> Table:
    """A table in memory; samples in braces become CSR, and their features must be numbers."""
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise MissingExtraError("reading .arff files", "pandas and pyarrow", "tables") from None
    path = request.path
    with guarded(path, ".arff"):
        content = Content(path)
        encoding = encoding_of(content, request.options.encoding)
        with content.open() as file:
            head, line, body = _parts(path, file.read().decode(encoding).removeprefix("\ufeff"))
        attributes = attributes_of(path, head)
        choice = choose(request, [attribute.name for attribute in attributes])
        if re.match(r"\s*\{", body):
            return _sparse(request, attributes, choice, body)
        frame = _dense(path, attributes, choice, body, line)
        return table_of(request, frame, choice)


def _parts(path: Path, text: str) -> tuple[str, int, str]:
    """(the head, number of the first line of rows, the rows without comments)."""
    mark = re.search(r"^[ \t]*@data[ \t]*\r?$", text, re.IGNORECASE | re.MULTILINE)
    if mark is None:
        raise InputError(f"DATA: '{path}' has no line @data, after which .arff files hold their rows")
    body = text[mark.end() :].lstrip("\r\n")
    line = text.count("\n", 0, len(text) - len(body)) + 1
    if "%" in body:
        body = re.sub(r"(?m)^[ \t]*%.*$", "", body)
    return text[: mark.start()], line, body


def attributes_of(path: Path, head: str) -> list[Attribute]:
    """The columns that the head of a file declares."""
    found = []
    for line in head.splitlines():
        text = line.strip()
        if not text.lower().startswith("@attribute"):
            continue
        match = _ATTRIBUTE.match(text)
        if match is None:
            raise InputError(f"DATA: '{path}' has an attribute that cannot be read: {text[:60]}")
        kind, values = match[4].lower(), None
        if match[4].startswith("{"):
            inside = match[4][1:-1].strip()
            kind, values = "nominal", [_unquoted(each) for each in _VALUE.finditer(inside) if each[0].strip()]
        elif kind in _NUMBERS:
            kind = "numeric"
        elif kind not in ("string", "date"):
            raise InputError(
                f"DATA: '{path}': attribute '{_unquoted(match)}' is of type {kind}; numeric, nominal, string and date "
                "attributes are read"
            )
        found.append(Attribute(_unquoted(match), kind, values))
    if not found:
        raise InputError(f"DATA: '{path}' declares no attributes")
    return found


def _unquoted(match: re.Match[str]) -> str:
    quoted = match[1] if match[1] is not None else match[2]
    return match[3].strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _dense(path: Path, attributes: list[Attribute], choice: Choice, body: str, line: int) -> Any:
    import pandas as pd

    if not body.strip():
        raise InputError(f"DATA: '{path}' has no rows")
    names = [attribute.name for attribute in attributes]
    quote = re.search(r"(?m)(?:^|,)[ \t]*(['\"])", body)
    mark = "'" if quote is not None and quote[1] == "'" else '"'
    separator = "\t" if "," not in body.split("\n", 1)[0] and "\t" in body.split("\n", 1)[0] else ","
    form = CsvForm("utf-8", separator, names, line, 0, 0, quote=mark, escape="\\")
    if ends_in_separator(Content(path, body.encode()), form, True):
        raise InputError(f"DATA: '{path}' has a separator at the end of each row")
    frame = pd.read_csv(
        io.StringIO(body),
        sep=separator,
        names=names,
        header=None,
        index_col=False,
        quotechar=mark,
        escapechar="\\",
        skipinitialspace=True,
        keep_default_na=False,
        na_values=["?"],
        dtype={a.name: object for a in attributes if a.kind != "numeric"},
        low_memory=False,
    )
    return pd.DataFrame({a.name: _typed(path, frame[a.name], a) for a in attributes if a.name in set(choice.columns)})


def _typed(path: Path, column: Any, attribute: Attribute) -> Any:
    import pandas as pd

    if attribute.kind == "numeric":
        numbers = pd.to_numeric(column, errors="coerce")
        _require(path, attribute, column, numbers.isna() & column.notna(), "is not a number")
        return numbers
    if attribute.kind == "date":
        dates = pd.to_datetime(column, errors="coerce", format="ISO8601")
        return dates if dates.isna().sum() == column.isna().sum() else column
    if attribute.values is None:
        return column
    column = column.str.rstrip()
    _require(path, attribute, column, ~column.isin(attribute.values) & column.notna(), "is not among its values")
    return column.astype(pd.CategoricalDtype(list(dict.fromkeys(attribute.values))))


def _require(path: Path, attribute: Attribute, column: Any, wrong: Any, why: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(
            f"DATA: '{path}': attribute '{attribute.name}' holds '{column.iloc[row]}' in row {row}, which {why}"
        )


def _sparse(request: Request, attributes: list[Attribute], choice: Choice, body: str) -> Table:
    """Rows in braces, `{number value, ...}`, by scikit-learn's reader of libsvm files; what is left out is 0, or the
    first value of a nominal attribute."""
    import pandas as pd

    path, place = request.path, {attribute.name: i for i, attribute in enumerate(attributes)}
    rows = [line.strip() for line in body.splitlines() if line.strip()]
    wrong = next((row for row in rows if not (row.startswith("{") and row.endswith("}"))), None)
    if wrong is not None:
        raise InputError(f"DATA: '{path}' has rows in braces and others, as {wrong[:40]!r}")
    beside = {
        name: _column_of(path, attributes[place[name]], place[name], rows)
        for name in choice.columns
        if name not in set(choice.features)
    }
    for name in choice.features:
        _require_number(path, attributes[place[name]])
    text = (
        re.sub(r"[ \t]*(?:'[^']*'|\"[^\"]*\")", " 0", "\n".join(rows))
        if "'" in body or '"' in body
        else "\n".join(rows)
    )
    text = _as_libsvm(text, [attributes[place[name]] for name in beside], [place[name] for name in beside])
    X, _ = load_svmlight_file(io.BytesIO(text.encode()), n_features=len(attributes), dtype=np.float32, zero_based=True)
    kept = [place[name] for name in choice.features]
    X = sp.csr_array(X) if kept == list(range(len(attributes))) else sp.csr_array(sp.csc_array(X)[:, kept])
    frame = pd.DataFrame(beside, index=range(len(rows)))
    return with_features(X, frame, choice, [*choice.notes, "rows in braces: kept sparse"])


def _as_libsvm(text: str, others: list[Attribute], places: list[int]) -> str:
    """The rows as lines of a libsvm file; the attributes that are no features become 0."""
    for attribute, place in zip(others, places, strict=True):
        if attribute.kind != "numeric":
            text = re.sub(rf"(?m)([{{,][ \t]*){place}[ \t]+[^,}}\n]*", rf"\g<1>{place} 0", text)
    text = re.sub(r"(\d+)[ \t]+([^,}\s]+)[ \t]*,?[ \t]*", r"\1:\2 ", text)
    return text.replace("{", "0 ").replace("}", "").replace(":?", ":nan")


def _column_of(path: Path, attribute: Attribute, place: int, rows: list[str]) -> Any:
    """One attribute of all rows."""
    import pandas as pd

    pattern = re.compile(rf"[{{,]\s*{place}\s+{_NAME}\s*(?=[,}}])")
    left_out = "0" if attribute.values is None else attribute.values[0]
    found = [pattern.search(row) for row in rows]
    values = [left_out if match is None else _unquoted(match) for match in found]
    column = pd.Series([None if value == "?" else value for value in values], name=attribute.name, dtype=object)
    return _typed(path, column, attribute)


def _require_number(path: Path, attribute: Attribute) -> None:
    """A nominal attribute is a number where its values are, and the first, which rows leave out, is 0."""
    values = attribute.values
    if attribute.kind == "numeric" or (
        values and all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values) and float(values[0]) == 0
    ):
        return
    raise InputError(
        f"DATA: '{path}': attribute '{attribute.name}' is {attribute.kind}; in rows in braces a feature must be "
        "numeric, or nominal with numbers as values, the first of them 0"
    )
