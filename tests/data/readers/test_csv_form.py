"""What separates fields, where a table begins, and what its decimal sign is."""

from __future__ import annotations

from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.data.readers.csv_form import CsvForm, detect_form, given_separator, records, shown
from trulysparse.data.readers.opened import Content


def form_of(text: str, encoding: str = "utf-8", **options: object) -> CsvForm:
    given = dict(separator=None, features=None, likely=None, named=True) | options
    return detect_form(Content(Path("x.csv"), text.encode(encoding)), encoding, **given)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_each_separator_is_found(mark):
    form = form_of(mark.join(["a", "b", "target"]) + "\n" + mark.join(["1.5", "2", "0"]) + "\n")
    assert (form.separator, form.first) == (mark, ["a", "b", "target"])


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a;b\n1,5;2,5\n3,5;4,0\n", ";"),
        ("1,5;2,5;3,0\n1,5;2,5;3,0\n", ";"),
        ('text;target\n"a;b, c";1\nfoo, bar;0\n', ";"),
        ("name, town\nA B, C D\n", ","),
        ("petal width\n1\n2\n", ","),
        ("a,b\n1,2,3\n", ","),
        ("a;b\n1;2;3;4\n", ";"),
        ("a\n1\n", ","),
        ("a,b,\n1,2,\n", ","),
        ("a;b\n1;2;\n1;2;\n", ";"),
        ("when a,b\n2024-01-01 10:00,1\n", ","),
    ],
)
def test_a_separator_is_that_which_splits_all_lines_alike(text, separator):
    assert form_of(text).separator == separator


def test_known_features_and_an_earlier_file_decide_where_the_lines_do_not():
    assert form_of("petal width\n1\n", features=["petal width"]).separator == ","
    assert form_of("a b;c\n1;2\n", features=["a b", "c"]).separator == ";"
    assert form_of("a;b c\n1;2 3\n", likely=" ").separator == " "
    assert form_of(' a , b , c\n1,"x y",2\n', features=["a", "b"]).separator == ","


@pytest.mark.parametrize(
    ("text", "first", "line", "note"),
    [
        ("sep=;\na;b\n1;2\n", ["a", "b"], 2, "separator: ';' (the first line says so)"),
        ("\n\nsep=|\na|b\n1|2\n", ["a", "b"], 4, "separator: '|' (the first line says so)"),
        ("# made today, by hand\na,target\n1,0\n", ["a", "target"], 2, "comments: 1 at the top, left out"),
        ("# one\n# two\n\na,target\n1,0\n", ["a", "target"], 4, "comments: 2 at the top, left out"),
        ("#a,b,target\n1,x,0\n", ["a", "b", "target"], 1, "names of columns: in the line that begins with '#'"),
        ("# v1\n# a b target\n1 2 0\n", ["a", "b", "target"], 2, "names of columns: in the line that begins with '#'"),
    ],
)
def test_lines_before_the_table_are_told_from_its_header(text, first, line, note):
    form = form_of(text)
    assert (form.first, form.line) == (first, line)
    assert note in form.notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_of_the_first_line_are_those_of_the_file(encoding, end):
    text = end.join(["# bé", 'é,"b' + end + 'c",target', "1,2,0", ""])
    form, raw = form_of(text, encoding), text.encode(encoding)
    assert form.first == ["é", f"b{end}c", "target"]
    assert raw[form.end :].decode() == f"1,2,0{end}"
    assert raw[form.begin : form.end].decode("utf-8" if "utf" in encoding else encoding).startswith("é,")


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("a;b\n1,5;2\n", ",", None),
        ("a;b\n1.234,5;2\n", ",", "."),
        ("a;b\n1.5;2\n", ".", None),
        ("a;b\n1.5;2,5\n", ".", None),
        ("a;b\nx, y;2\n", ".", None),
        ("a,b\n1.5,2\n", ".", None),
    ],
)
def test_a_decimal_comma_is_found_where_commas_do_not_separate(text, decimal, thousands):
    form = form_of(text)
    assert (form.decimal, form.thousands) == (decimal, thousands)


@pytest.mark.parametrize("text", ["\n \n", "sep=;\n", "\n"])
def test_a_file_without_a_table_is_refused(text):
    with pytest.raises(ts.InputError, match="is empty"):
        form_of(text)


@pytest.mark.parametrize(
    ("text", "mark"), [("tab", "\t"), ("\\t", "\t"), ("Space", " "), (";", ";"), ("~", "~"), (None, None)]
)
def test_a_separator_is_a_character_or_its_name(text, mark):
    assert given_separator(text) == mark


@pytest.mark.parametrize("text", ["", "::", '"', "a", "3", "\n", "§"])
def test_a_separator_that_cannot_be_one_is_refused(text):
    with pytest.raises(ts.InputError, match="--separator must be one ASCII character"):
        given_separator(text)


def test_records_leave_blank_lines_out():
    assert records("a  b \n\n \n1 2\n", " ") == [["a", "b"], ["1", "2"]]
    assert (shown("\t"), shown(";")) == ("tab", "';'")
