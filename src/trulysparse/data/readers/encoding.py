"""The encoding of a text file: told by its first bytes, else UTF-8 where the whole file is, else cp1252."""

from __future__ import annotations

import codecs

from trulysparse.data.readers.guard import one_line
from trulysparse.data.readers.opened import Content
from trulysparse.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In these every byte below 128 is ASCII, so that separators and ends of lines can be found in the bytes.
_BYTEWISE = ("utf-8", "ascii", "cp125", "iso8859", "koi8")
_CHUNK = 1 << 24


def encoding_of(content: Content, given: str | None) -> str:
    """The encoding, as Python names it; InputError where the content is no text, or not text in `given`."""
    if given is not None:
        try:
            name = codecs.lookup(given).name
            "".encode(name)
        except LookupError:
            raise InputError(
                f"--encoding: there is no encoding '{given}'; common ones are utf-8, utf-16, cp1252 and latin-1"
            ) from None
        wrong = _first_error(content, name)
        if wrong is not None:
            raise InputError(f"--encoding: '{content.path}' is not text in {given} ({wrong})")
        return "utf-8-sig" if name == "utf-8" and content.head(3) == codecs.BOM_UTF8 else name
    head = content.head(1 << 16)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is None and b"\0" in head:
        marked = _without_mark(content, head)
    if marked is not None:
        if _first_error(content, marked) is not None:
            raise InputError(f"DATA: '{content.path}' begins as text in {marked}, but is not; give --encoding")
        return marked
    if _first_error(content, "utf-8") is None:
        return "utf-8"
    return "cp1252" if _first_error(content, "cp1252") is None else "iso8859-1"


def as_bytewise(content: Content, encoding: str) -> tuple[Content, str]:
    """(content, encoding), in UTF-8 where bytes of the encoding cannot be told apart."""
    if codecs.lookup(encoding).name.startswith(_BYTEWISE):
        return content, encoding
    with content.open() as file:
        return Content(content.path, file.read().decode(encoding).encode()), "utf-8"


def _without_mark(content: Content, head: bytes) -> str:
    """UTF-16 without a mark, where every second byte is 0 in most places."""
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.4 * len(zeros):
            return name
    raise InputError(f"DATA: '{content.path}' holds bytes that are 0; it is not a text file")


def _first_error(content: Content, encoding: str) -> str | None:
    """What does not belong to the encoding, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    clean = encoding.startswith(_BYTEWISE)
    with content.open() as file:
        while chunk := file.read(_CHUNK):
            if not (clean and chunk.isascii() and not decoder.getstate()[0]):
                try:
                    decoder.decode(chunk)
                except UnicodeError as error:
                    return one_line(error)
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        return "its end is cut off"
    return None
