"""The form of a text table: what separates its fields, where its rows begin, what its decimal sign is."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from trulysparse.data.readers.opened import Content
from trulysparse.errors import InputError

_HEAD_BYTES = 1 << 20
_RECORDS = 500
_CALLED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
_SEPARATORS = ("\t", ";", "|", ",", " ")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+")


@dataclass
class CsvForm:
    """How a text table is written.

    Args:
        encoding: one in which ASCII characters are single bytes.
        separator: one character; ' ' stands for any number of spaces and tabs.
        first: the fields of its first line.
        line: number of that line, from 1.
        begin: the byte at which that line begins.
        end: the byte after it.
        decimal: '.' or ','.
        thousands: '.' where numbers are written as 1.234,5; else None.
        quote: what stands around fields that hold a separator.
        escape: what stands before a character that is meant as it is; None: nothing does.
        notes: what was detected.
    """

    encoding: str
    separator: str
    first: list[str]
    line: int
    begin: int
    end: int
    decimal: str = "."
    thousands: str | None = None
    quote: str = '"'
    escape: str | None = None
    notes: list[str] = field(default_factory=list)


def shown(separator: str) -> str:
    """A separator as messages and notes call it."""
    return {"\t": "tab", " ": "space"}.get(separator, f"'{separator}'")


def given_separator(text: str | None) -> str | None:
    """The character that --separator names."""
    if text is None:
        return None
    separator = _CALLED.get(text.lower(), text)
    if len(separator) != 1 or separator in '"\r\n' or separator.isalnum() or ord(separator) > 127:
        raise InputError(f"--separator must be one ASCII character, 'tab' or 'space', not {text!r}")
    return separator


def records(text: str, separator: str, most: int | None = None) -> list[list[str]]:
    """The records of a text, without blank ones."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    found: list[list[str]] = []
    for fields in reader:
        if separator == " " and fields and fields[-1] == "":
            fields.pop()  # spaces at the end of a line
        if fields and (len(fields) > 1 or fields[0].strip()):
            found.append(fields)
        if most is not None and len(found) >= most:
            break
    return found


def detect_form(
    content: Content, encoding: str, separator: str | None, features: list[str] | None, likely: str | None, named: bool
) -> CsvForm:
    """The form of a file.

    Args:
        content: the file.
        encoding: its encoding.
        separator: given by the user; None: it is detected.
        features: columns that the file must have, where they are known.
        likely: the separator of the file that was trained on.
        named: whether its first line may name the columns.

    Returns:
        Its form.

    Raises:
        InputError: where the file is empty.
    """
    raw = content.head(_HEAD_BYTES)
    text = raw.decode(encoding, errors="replace").removeprefix("\ufeff")
    begin = len(raw) - len(raw.removeprefix(b"\xef\xbb\xbf"))
    if len(raw) == _HEAD_BYTES:  # the last line is not whole
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    lines = list(io.StringIO(text, newline=""))
    notes: list[str] = []
    at, asked = _preamble(content.path, lines, separator)
    if asked is not None and separator is None:
        separator = asked
        notes.append(f"separator: {shown(separator)} (the first line says so)")
    comments = [line for line in lines[:at] if line.startswith("#")]
    body = "".join(lines[at:])
    if separator is None:
        separator = _separator(body, features, likely)
        if separator != ",":
            notes.append(f"separator: {shown(separator)} (detected)")
    skip = at
    header = _commented_header(comments, body, separator) if named and comments else None
    if header is not None:
        skip = max(i for i in range(at) if lines[i].startswith("#"))
        body = header + "".join(lines[skip + 1 :])
        notes.append("names of columns: in the line that begins with '#'")
    elif comments:
        notes.append(f"comments: {len(comments)} at the top, left out")
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=True)
    first = next(reader)
    if separator == " " and first and first[-1] == "":
        first.pop()
    stop = skip + reader.line_num
    start = begin + len("".join(lines[:skip]).encode(_plain(encoding)))
    form = CsvForm(encoding, separator, first, skip + 1, start, start, notes=notes)
    form.end = start + len("".join(lines[skip:stop]).encode(_plain(encoding)))
    if separator != ",":
        _set_decimal(form, body)
    return form


def _plain(encoding: str) -> str:
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _preamble(path: Path, lines: list[str], separator: str | None) -> tuple[int, str | None]:
    """(number of lines before the first of the table, separator that a line `sep=;` names)."""
    asked: str | None = None
    for at, line in enumerate(lines):
        said = re.fullmatch(r"\"?sep=(.)\"?", line.strip("\r\n ")) if asked is None else None
        if said is not None:
            asked = said[1]
        elif line.strip() and not (line.startswith("#") and any(rest.strip() for rest in lines[at + 1 :])):
            return at, asked
    raise InputError(f"DATA: file '{path}' is empty")


def _separator(text: str, features: list[str] | None, likely: str | None) -> str:
    """The character that splits all lines into equally many fields, more than one; else the likeliest."""
    heads = {mark: next(iter(records(text, mark, 1)), [""]) for mark in _SEPARATORS}
    if features is not None:
        for mark in (likely, ",", *_SEPARATORS):
            if mark in heads and set(features) <= {*heads[mark], *map(str.strip, heads[mark])}:
                return mark
    if likely in heads and len(heads[likely]) > 1:
        return likely
    for mark in _SEPARATORS:
        if len(heads[mark]) > 1 and _regular([len(row) for row in records(text, mark, _RECORDS)]):
            return mark
    if len(heads[","]) > 1:
        return ","
    widest = max(_SEPARATORS[:-1], key=lambda mark: len(heads[mark]))
    return widest if len(heads[widest]) > 1 else ","


def _regular(widths: list[int]) -> bool:
    """Whether all lines have as many fields as the first, or all others one more (a separator at their end)."""
    return set(widths) == {widths[0]} or set(widths[1:]) == {widths[0] + 1}


def _commented_header(comments: list[str], body: str, separator: str) -> str | None:
    """The last line that begins with '#', without that sign, where it names as many columns as the rows have, and
    the first row holds a number, so that it does not name them itself."""
    last = comments[-1].removeprefix("#").lstrip(" ")
    names, rows = records(last, separator, 1), records(body, separator, 1)
    if not names or not rows or len(names[0]) != len(rows[0]) or len(rows[0]) < 2:
        return None
    return last if any(map(_number, rows[0])) and not any(map(_number, names[0])) else None


def _number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", text.strip()) is not None


def _set_decimal(form: CsvForm, text: str) -> None:
    fields = [value.strip() for row in records(text, form.separator, _RECORDS)[1:] for value in row]
    grouped = any(map(_GROUPED_NUMBER.fullmatch, fields))
    if grouped or (any(map(_COMMA_NUMBER.fullmatch, fields)) and not any(map(_POINT_NUMBER.fullmatch, fields))):
        form.decimal, form.thousands = ",", "." if grouped else None
        form.notes.append("decimal sign: ',' (detected)")
