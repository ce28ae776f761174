"""One CSV file as columns of text and numbers, with errors that name the file and the line."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError


class Table:
    """The rows of a CSV file below its header; separated by the first of ; tab and , that the header has.

    Args:
        path: the file, UTF-8.

    Raises:
        InputError: no such file, not text, nothing in it, a name in the header twice, or a row of another length.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise InputError(f"there is no file '{self.path}'") from None
        except IsADirectoryError:
            raise InputError(f"'{self.path}' is a folder, not a CSV file") from None
        except UnicodeDecodeError as error:
            raise InputError(f"'{self.path}' is not UTF-8 text: {error.reason} at byte {error.start}") from None
        lines = text.splitlines()
        if not lines or not lines[0].strip():
            raise InputError(f"'{self.path}' is empty: it must begin with a line of column names")
        separator = next((each for each in ";\t" if each in lines[0]), ",")
        try:
            rows = list(csv.reader(lines, delimiter=separator))
        except csv.Error as error:
            raise InputError(f"'{self.path}' is not a CSV file: {error}") from None
        self.names = [name.strip() for name in rows[0]]
        twice = [name for number, name in enumerate(self.names) if name in self.names[:number]]
        if twice:
            raise InputError(f"'{self.path}' has the column {twice[0]!r} twice")
        self.separator = separator
        del rows[0]
        while rows and not "".join(rows[-1]).strip():
            rows.pop()
        for number, row in enumerate(rows):
            if len(row) != len(self.names):
                cut = number == len(rows) - 1 and len(row) < len(self.names)
                end = "; the file is truncated there" if cut else ""
                raise InputError(
                    f"'{self.path}' line {number + 2} has {len(row)} fields where the header has {len(self.names)}{end}"
                )
        if not rows:
            raise InputError(f"'{self.path}' has a header and no rows")
        self._n_rows = len(rows)
        self._columns = dict(zip(self.names, zip(*rows, strict=True), strict=True))

    def __len__(self) -> int:
        return self._n_rows

    def text(self, name: str) -> tuple[str, ...]:
        """A column as it stands; InputError where the file has none of that name."""
        if name not in self._columns:
            raise InputError(f"'{self.path}' has no column {name!r}; it has {', '.join(self.names)}")
        return self._columns[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as finite numbers. A decimal comma is read where fields are not separated by one."""
        texts = self.text(name)
        if self.separator != ",":
            texts = tuple(text.replace(",", ".") for text in texts)
        try:
            values = np.array(list(map(float, texts)))
        except ValueError:
            values = np.array(list(map(_number, texts)))
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            row = int(wrong[0])
            what = repr(texts[row]) if texts[row].strip() else "nothing"
            raise InputError(
                f"'{self.path}' line {row + 2}, column {name!r}: {what} is not a finite number ({wrong.size} of "
                f"{len(self)} rows are not)"
            )
        return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def same_length(tables: Sequence[Table]) -> None:
    """InputError where files that must have a row per hour of the same hours have different numbers of rows."""
    for table in tables[1:]:
        if len(table) != len(tables[0]):
            raise InputError(
                f"'{table.path}' has {len(table)} rows and '{tables[0].path.name}' has {len(tables[0])}: both must "
                "have one row per hour of the same hours"
            )
