"""Encodings of text: told, found, or refused."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.data.readers import encoding as encodings
from trulysparse.data.readers.encoding import as_bytewise, encoding_of
from trulysparse.data.readers.opened import Content

TEXT = "größe,näme,target\n1,Łódź,0\n2,x,1\n"
WESTERN = "größe,näme,target\n1,€,0\n2,é,1\n"


def content(tmp_path, raw: bytes) -> Content:
    return Content(tmp_path / "x.csv", raw)


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        (TEXT, "utf-8", "utf-8"),
        (TEXT, "utf-8-sig", "utf-8-sig"),
        (TEXT, "utf-16", "utf-16"),
        (TEXT, "utf-16-le", "utf-16-le"),
        (TEXT, "utf-16-be", "utf-16-be"),
        (TEXT, "utf-32", "utf-32"),
        (WESTERN, "cp1252", "cp1252"),
        ("a,target\n\x81,0\n", "latin-1", "iso8859-1"),
        ("a,target\n1,0\n", "ascii", "utf-8"),
    ],
)
def test_an_encoding_is_found_and_gives_the_text_back(tmp_path, text, written, found):
    raw = content(tmp_path, text.encode(written))
    assert encoding_of(raw, None) == found
    plain, name = as_bytewise(raw, found)
    with plain.open() as file:
        assert file.read().decode(name) == text


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_characters_across_chunks_are_whole(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(encodings, "_CHUNK", chunk)
    assert encoding_of(content(tmp_path, TEXT.encode()), None) == "utf-8"
    assert encoding_of(content(tmp_path, WESTERN.encode("cp1252")), None) == "cp1252"


@pytest.mark.parametrize(
    ("raw", "given", "match"),
    [
        (TEXT.encode(), "klingon", "--encoding: there is no encoding 'klingon'"),
        (TEXT.encode(), "ascii", "--encoding: '.*x.csv' is not text in ascii"),
        (WESTERN.encode("cp1252"), "utf-8", "is not text in utf-8"),
        (TEXT.encode()[:-1] + "é".encode()[:1], "utf-8", "its end is cut off"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None, "holds bytes that are 0; it is not a text file"),
        (b"\xff\xfea\0b", None, "begins as text in utf-16, but is not"),
        (TEXT.encode(), "hex", "there is no encoding 'hex'|is not text in hex"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, raw, given, match):
    with pytest.raises(ts.InputError, match=match) as caught:
        encoding_of(content(tmp_path, raw), given)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("given", ["UTF8", "latin-1", "cp1250"])
def test_a_given_encoding_is_taken(tmp_path, given):
    raw = content(tmp_path, "a,target\né,0\n".encode(given))
    name = encoding_of(raw, given)
    with raw.open() as file:
        assert file.read().decode(name) == "a,target\né,0\n"
