"""Whether all lines have equally many fields: the same answers as Python's csv, by counting bytes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.readers import csv_widths
from trulysparse.data.readers.csv_form import detect_form
from trulysparse.data.readers.csv_widths import ends_in_separator
from trulysparse.data.readers.opened import Content


def answer(text: str, separator: str = ",") -> bool:
    content = Content(Path("x.csv"), text.encode())
    return ends_in_separator(content, detect_form(content, "utf-8", separator, None, None, True), True)


@pytest.fixture(params=[1 << 23, 7])
def chunk(request, monkeypatch):
    monkeypatch.setattr(csv_widths, "_CHUNK", request.param)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("lines", "longer"),
    [
        (["a,b", "1,2", "3,4"], False),
        (["a,b", "1,2,", "3,4,"], True),
        (["a,b", "", "1,2", " ", "3,4", ""], False),
        (["a,b", '"x, y",2', '"x""y",4'], False),
        (["a,b", 'x"y,2', 'x"y,4'], False),
        (["a", "1", "2"], False),
    ],
)
def test_lines_alike_are_accepted(chunk, end, lines, longer):
    assert answer(end.join(lines)) is longer


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 field, but the header has 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, but the header has 2; a comma"),
        ("a,b\n1,2,\n3,4\n", "line 2 has 3 fields"),
        ("a,b\n1,2\n3,4,\n", "line 3 has 3 fields"),
        ('a,b\n"x\ny",2\n\n3\n', "line 5 has 1 field"),
        ('a,b\n"1,2\n3,4\n', "line 2 has 1 field"),
        ('a,"b\nc"\n1\n', "line 3 has 1 field"),
        ("a,b\n1,5,2\n", "line 2 has 3 fields"),
    ],
)
def test_the_first_line_that_differs_is_named(chunk, text, match):
    with pytest.raises(ts.InputError, match=match):
        answer(text)


def test_spaces_separate_however_many():
    assert answer("a b\n1   2\n  3 4  \n", " ") is False
    with pytest.raises(ts.InputError, match="line 2 has 3 fields"):
        answer("a b\n1  2 3\n", " ")


def test_an_empty_row_of_a_table_separated_by_tabs_is_a_row(chunk):
    assert answer("a\tb\n\t\n1\t2\n", "\t") is False
    with pytest.raises(ts.InputError, match="line 2 has 3 fields"):
        answer("a\tb\n\t\t\n1\t2\n1\t2\n", "\t")


def test_counts_agree_with_python_on_random_text(monkeypatch):
    """Tables of random characters: accepted exactly where csv.reader finds one width."""
    rng = np.random.default_rng(0)
    accepted = 0
    for number in range(2000):
        monkeypatch.setattr(csv_widths, "_CHUNK", [1 << 23, 11][number % 2])
        body = "".join(rng.choice(list('a1, "\n'), rng.integers(1, 40), p=[0.25, 0.2, 0.2, 0.05, 0.1, 0.2]))
        text = f"h,i\n{body}\n"
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
        rows = [row for row in rows[1:] if len(row) > 1 or (row and row[0].strip())]
        if any(set(line.strip()) == {'"'} for line in text.splitlines()):  # a field of nothing, or of line breaks
            continue
        try:
            found: object = answer(text)
        except ts.InputError:
            found = None
        widths = {len(row) for row in rows}
        if widths <= {2}:
            assert found is False, text
            accepted += 1
        elif widths == {3} and all(row[-1] == "" for row in rows):
            assert found is True, text
        else:
            assert found is None, text
    assert accepted > 50
