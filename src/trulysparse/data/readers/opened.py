"""Files as their uncompressed bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import IO, Any

from trulysparse.data.readers.guard import guarded
from trulysparse.errors import InputError, MissingExtraError

COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


def suffixes(path: Path) -> tuple[str, str]:
    """(suffix of the content, suffix of the compression or ''), in lower case."""
    last = path.suffix.lower()
    return (Path(path.stem).suffix.lower(), last) if last in COMPRESSED else (last, "")


class Content:
    """The bytes of a file: on disk or, where it is compressed, uncompressed in memory.

    Args:
        path: the file.
        data: bytes to take instead of the file's.
    """

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        self.path, self.data = path, data
        kind = suffixes(path)[1]
        if data is None and kind:
            with guarded(path, kind):
                self.data = _uncompressed(path, kind)
        if self.data == b"":
            raise InputError(f"DATA: file '{path}' is empty")

    def open(self, offset: int = 0) -> IO[bytes]:
        """The content from byte `offset` on."""
        file: IO[bytes] = self.path.open("rb") if self.data is None else io.BytesIO(self.data)
        file.seek(offset)
        return file

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with self.open() as file:
            return file.read(size)


def _uncompressed(path: Path, kind: str) -> bytes:
    if kind == ".zip":
        return _only_member(path)
    if kind == ".zst":
        return _zstandard(path)
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    with openers[kind](path, "rb") as file:
        content: bytes = file.read()
    return content


def _only_member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX/")]
        if len(names) != 1:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            raise InputError(f"DATA: '{path}' holds {len(names)} files ({shown}); a .zip file must hold one")
        return archive.read(names[0])


def _zstandard(path: Path) -> bytes:
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("reading .zst files", "pyarrow", "tables") from None
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as file:
        content: bytes = file.read()
    return content
