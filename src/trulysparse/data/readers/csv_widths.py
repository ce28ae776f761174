"""Whether all lines of a text table have equally many fields, which pandas does not tell: it pads short lines and cuts
long ones. Separators and ends of lines are counted by NumPy; lines are read one by one only to name a wrong one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.csv_form import CsvForm
from trulysparse.data.readers.opened import Content
from trulysparse.errors import InputError

_CHUNK = 1 << 23
_LONGEST = 1 << 26
_NEWLINE, _SPACES = 10, b" \t"


def ends_in_separator(content: Content, form: CsvForm, named: bool) -> bool:
    """Whether each line after the first has a separator at its end, and so a field more than the first; InputError
    where lines differ otherwise. named: whether the first line is a header."""
    if form.separator != " ":
        found = _counted(content, form)
        if found is not None:
            return found
    return _read_through(content, form, named)


def _counted(content: Content, form: CsvForm) -> bool | None:
    """As ends_in_separator; None where lines have to be read to tell."""
    n_plain = n_longer = 0
    for block in _blocks(content, form):
        counts = _separators_per_line(block, form)
        if counts is None:
            return None
        n_separators, ends = counts
        starts = np.concatenate([[0], ends[:-1] + 1])
        full = n_separators == len(form.first) - 1
        longer = (n_separators == len(form.first)) & (block[np.maximum(ends - 1, 0)] == ord(form.separator))
        empty = ends == starts
        full &= ~empty
        for at in np.flatnonzero(~(full | longer | empty)):
            line = block[starts[at] : ends[at]].tobytes()
            if line.strip(_SPACES) or form.separator == "\t":
                return None
        n_plain += int(full.sum())
        n_longer += int(longer.sum())
        if n_plain and n_longer:
            return None
    return n_longer > 0


def _blocks(content: Content, form: CsvForm) -> Iterator[NDArray[np.uint8]]:
    """The bytes after the first line, in blocks that end with an end of line outside of quotes, '\\n' throughout."""
    rest = b""
    with content.open(form.end) as file:
        while chunk := file.read(_CHUNK):
            if chunk.endswith(b"\r"):
                chunk += file.read(1)
            if b"\r" in chunk:
                chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            whole = rest + chunk
            cut = _last_line(whole, form) if form.quote.encode() in whole else whole.rfind(b"\n") + 1
            if cut:
                yield np.frombuffer(whole[:cut], np.uint8)
            rest = whole[cut:]
            if len(rest) > _LONGEST:  # a quote that is never closed
                break
    if rest:
        yield np.frombuffer(rest + b"\n", np.uint8)


def _last_line(text: bytes, form: CsvForm) -> int:
    """The position after the last end of line outside of quotes."""
    block = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((block == _NEWLINE) & ~np.bitwise_xor.accumulate(block == ord(form.quote)))
    return int(ends[-1]) + 1 if len(ends) else 0


def _separators_per_line(block: NDArray[np.uint8], form: CsvForm) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(number of separators, position of the end) of each line; None where quotes stand in unusual places."""
    if form.escape is not None and (block == ord(form.escape)).any():
        return None
    newline = block == _NEWLINE
    special = newline | (block == ord(form.separator))
    quote = block == ord(form.quote)
    if quote.any():
        inside = np.bitwise_xor.accumulate(quote)
        opening = np.flatnonzero(quote & inside)
        before = block[opening[opening > 0] - 1]
        if inside[-1] or not np.isin(before, [ord(form.quote), _NEWLINE, ord(form.separator)]).all():
            return None
        special &= ~inside
    positions = np.flatnonzero(special)
    at = np.flatnonzero(newline[positions])
    return np.diff(at, prepend=-1) - 1, positions[at]


def _read_through(content: Content, form: CsvForm, named: bool) -> bool:
    """As ends_in_separator, line by line."""
    wanted, longer, first_longer = len(form.first), 0, 0
    number = form.line + _lines_of(content, form) - 1
    with content.open(form.end) as raw, io.TextIOWrapper(raw, form.encoding.removesuffix("-sig"), newline="") as file:
        seen = 0
        for line in file:
            number += 1
            if not line.strip(" \r\n" if form.separator == "\t" else None):
                continue
            at, ends = number, False
            if form.separator == " " and form.quote not in line:
                width = len(line.split())
            else:
                fields, number = _record(number, line, file, form)
                width, ends = len(fields), not fields[-1]
            if width == wanted + 1 and ends and longer == seen:
                first_longer = first_longer or at
                longer += 1
            elif width != wanted or longer:
                if width == wanted:  # the lines before were longer
                    at, width = first_longer, wanted + 1
                raise _differs(content, form, named, at, width)
            seen += 1
    return longer > 0


def _differs(content: Content, form: CsvForm, named: bool, line: int, width: int) -> InputError:
    wanted = len(form.first)
    where = "the header" if named else f"line {form.line}"
    one_more = width == wanted + 1 and form.separator == ","
    hint = "; a comma at the end of a line begins one more" if one_more else ""
    return InputError(f"DATA: '{content.path}', line {line} has {_fields(width)}, but {where} has {wanted}{hint}")


def _lines_of(content: Content, form: CsvForm) -> int:
    """How many lines the first record takes."""
    with content.open(form.begin) as file:
        text = file.read(form.end - form.begin).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text.count(b"\n")


def _record(number: int, line: str, file: Iterator[str], form: CsvForm) -> tuple[list[str], int]:
    """(fields, number of the last line) of the record that begins with `line`: a quoted field may hold line breaks."""
    reader = csv.reader(
        chain([line], file),
        delimiter=form.separator,
        quotechar=form.quote,
        escapechar=form.escape,
        skipinitialspace=True,
    )
    fields = next(reader)
    if form.separator == " " and fields and fields[-1] == "":
        fields.pop()
    return fields, number + reader.line_num - 1


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"
