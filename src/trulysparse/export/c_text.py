"""C text: arrays of numbers, comments, strings and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError
from trulysparse.export.c_part import CArray

_WIDTH = 118
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Of C11 and C++20, in which the file may be compiled too.
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
        co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
        default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
        int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
        reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
        template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
        wchar_t while xor xor_eq""",
    )
)


def checked_name(name: Any) -> str:
    """A prefix of C names, or InputError.

    Args:
        name: a letter, then letters, digits and underscores; not a word of C or C++, and not 'ts' or one that begins
            with 'ts_', which are the runtime's own.

    Returns:
        The name.

    Example:
        >>> from trulysparse.export.c_text import checked_name
        >>> checked_name("net_2")
        'net_2'
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"name must be a C identifier that begins with a letter, such as 'net', not {name!r:.80}")
    if name in _KEYWORDS or f"{name}_".lower().startswith("ts_"):
        raise InputError(f"name must not be a word of C or C++, nor 'ts' or 'ts_...', not {name!r}")
    return name


def array_text(array: CArray) -> str:
    """The definition of an array, with its very values.

    Args:
        array: finite values.

    Returns:
        C text; floats as hexadecimal integers times powers of two.

    Example:
        >>> import numpy as np
        >>> from trulysparse.export.c_text import array_text
        >>> print(array_text(CArray("net_bias0", np.array([0.5, 0, -3], np.float32), "rows", 0)), end="")
        static const float net_bias0[3] = {
        0x1p-1f,0,-0x3p0f};
    """
    values = array.values
    texts = _floats(values) if values.dtype == np.float32 else map(str, values.tolist())
    return f"static const {array.c_type} {array.name}[{len(values)}] = {{\n{_lines(texts)}}};\n"


def _floats(values: NDArray[Any]) -> Iterable[str]:
    """float32 as C99 writes it: sign, an odd integer in hexadecimal digits, and a power of two."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    whole = np.abs(np.ldexp(fraction, 24)).astype(np.int64)
    trailing = np.where(whole == 0, 0, np.log2(np.maximum(whole & -whole, 1)).astype(np.int64))
    signs = np.where(values < 0, "-", "").tolist()
    numbers = zip(signs, (whole >> trailing).tolist(), (exponent - 24 + trailing).tolist(), strict=True)
    return ("%s0x%xp%df" % number if number[1] else "0" for number in numbers)  # noqa: UP031  # a third faster


def _lines(texts: Iterable[str]) -> str:
    """Numbers with commas, several per line."""
    lines: list[str] = []
    line: list[str] = []
    width = 0
    for text in texts:
        width += len(text) + 1
        if width > _WIDTH:
            lines.append(",".join(line) + ",")
            line, width = [], len(text) + 1
        line.append(text)
    return "\n".join([*lines, ",".join(line)])


def string_text(text: str) -> str:
    """A C string of a text, in UTF-8.

    Args:
        text: any.

    Returns:
        With quotation marks; what is not printable ASCII as octal escapes.

    Example:
        >>> from trulysparse.export.c_text import string_text
        >>> print(string_text('a "b" é?'))
        "a \\"b\\" \\303\\251\\?"
    """
    escaped = {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?"}  # a question mark may begin a trigraph
    return '"' + "".join(escaped.get(c, chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in text.encode()) + '"'


def comment_text(text: str) -> str:
    """A text that can stand in a C comment.

    Args:
        text: any.

    Returns:
        Printable ASCII without what could end the comment, open another or continue a line; else question marks.

    Example:
        >>> from trulysparse.export.c_text import comment_text
        >>> comment_text("a */ b\\n")
        'a *? b?'
    """
    plain = re.sub(r"[^ -~]|\\", "?", text)
    return re.sub(r"(?<=\*)/|(?<=/)\*", "?", plain)
