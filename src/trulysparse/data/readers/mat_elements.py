"""Whether the elements of a .mat file up to version 7 fit into each other. SciPy's reader trusts them, and ends the
process where they do not; compressed ones carry a checksum. Source: MathWorks, MAT-File Format, chapter 1."""

from __future__ import annotations

import struct

_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 14: 1, 15: 1, 16: 1, 17: 2, 18: 4}
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS, _SPARSE, _TEXT = range(6, 16), 5, 4
_HEAD = 128


def check_elements(content: memoryview | bytes) -> None:
    """Checks a whole file.

    Args:
        content: its bytes.

    Raises:
        ValueError: where an element is cut off, of a type that does not exist, or an array lacks a part.

    Example:
        >>> check_elements(b" " * 126 + b"IM" + bytes([15, 0, 0, 0, 9, 0, 0, 0]))
        Traceback (most recent call last):
        ...
        ValueError: an element of 9 bytes is cut off
    """
    view = memoryview(content)
    mark = bytes(view[126:_HEAD])
    if mark in (b"IM", b"MI"):  # else it is of version 4, which has no head
        _elements(view[_HEAD:], "<" if mark == b"IM" else ">")


def _elements(view: memoryview, order: str) -> list[memoryview]:
    """The contents of the elements, one after the other."""
    found, at = [], 0
    while at + 8 <= len(view):
        kind, size = struct.unpack_from(f"{order}II", view, at)
        start, end = at + 8, at + 8 + size
        if kind >> 16:  # up to four bytes, in the tag itself
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = at + 4, at + 4 + size
            if size > 4:
                raise ValueError(f"a small element has {size} bytes")
        if kind not in _SIZES or size % _SIZES[kind]:
            raise ValueError(f"an element of {size} bytes is of type {kind}, which does not exist or does not fit")
        if end > len(view):
            raise ValueError(f"an element of {size} bytes is cut off")
        if kind == _MATRIX and size:
            _check_matrix(_elements(view[start:end], order), order)
        found.append(view[start:end])
        at = end if kind == _COMPRESSED else at + 8 + (-(-size // 8) * 8 if start == at + 8 else 0)
    return found


def _check_matrix(parts: list[memoryview], order: str) -> None:
    """Flags, sizes and name, then the values: real and, if flagged, imaginary; of sparse ones row numbers and column
    pointers before them."""
    if len(parts) < 3 or len(parts[0]) != 8:
        raise ValueError("an array lacks its flags, sizes or name")
    (flags,) = struct.unpack_from(f"{order}I", parts[0])
    kind, is_complex = flags & 0xFF, bool(flags & 0x800)
    if kind == _SPARSE:
        needed = 6 + is_complex
    elif kind in _NUMBERS or kind == _TEXT:
        needed = 4 + is_complex
    else:
        return
    if len(parts) != needed:
        raise ValueError(f"an array has {len(parts)} parts where it needs {needed}")
