"""JSON files of a run folder, read without trust."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.cli._json import parse_object, read_object


def test_parse_object_takes_an_object():
    assert parse_object('{"a": [1, null], "b": "ö"}') == {"a": [1, None], "b": "ö"}


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"text"', '{"a": 1} x', "[" * 100_000, '{"a":' * 100_000])
def test_parse_object_of_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^.{1,200}$"):  # one short line
        parse_object(text)


@pytest.mark.parametrize("raw", [b"[]", b"\xff\xfe\x00", b"{", None])
def test_read_object_names_the_file_and_the_argument(tmp_path, raw):
    path = tmp_path / "config.json"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(ts.InputError, match=r"^--out: '.*config\.json' cannot be read \(.*\)$"):
        read_object(path, "--out")


def test_read_object_reads_utf8(tmp_path):
    (tmp_path / "config.json").write_bytes('{"label": "größe"}'.encode())
    assert read_object(tmp_path / "config.json") == {"label": "größe"}
