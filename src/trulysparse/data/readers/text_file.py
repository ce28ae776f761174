""".txt and .data files: their content tells whether they are tables or in the format of libsvm."""

from __future__ import annotations

import re

from trulysparse.data.readers.csv_table import read_csv
from trulysparse.data.readers.libsvm import read_libsvm
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LIBSVM = re.compile(rb"\s*(?:%b(?:,%b)*)?(?:\s+qid:\d+)?(?:\s+\d+:%b)+\s*(?:#.*)?" % (_NUMBER, _NUMBER, _NUMBER))


def read_text(request: Request) -> Table:
    """A table in memory, as read_csv or read_libsvm gives it."""
    content = Content(request.path)
    options = request.options
    if looks_like_libsvm(content):
        if (options.header, options.separator, options.encoding) != (None, None, None):
            raise InputError(
                f"--no-header, --header, --separator and --encoding are for .csv files and their like, but "
                f"'{request.path}' holds numbered features, as .libsvm files do"
            )
        table = read_libsvm(request, content)
        table.notes.insert(0, "format: libsvm (by the content)")
        return table
    if options.zero_based is not None:
        raise InputError(f"--zero-based and --one-based are for .libsvm files, not for '{request.path}'")
    return read_csv(request, content)


def looks_like_libsvm(content: Content) -> bool:
    """Whether the first line that is not blank nor a comment is a label with numbered features."""
    for line in content.head(1 << 16).splitlines():
        if line.strip() and not line.startswith(b"#"):
            return _LIBSVM.fullmatch(line) is not None
    return False
