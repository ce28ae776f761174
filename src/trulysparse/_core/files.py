"""Reading and writing files."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trulysparse._core.arrays import bytes_of
from trulysparse.errors import InputError

CHUNK = 64 << 20  # bytes read or written at a time


def write_whole(path: str | os.PathLike[str], write: Callable[[Path], object], *, sync: bool = True) -> None:
    """Calls write(temporary name beside `path`) and renames the result: `path` is either the old file or the
    whole new one, also where the disk is full or the process dies; with `sync` also where the power fails."""
    path = Path(path)
    # Made with the rights of any new file; asking for the process' umask would change it for a moment, for all threads.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    with naming(path, temporary):
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        with naming(path, temporary):
            write(temporary)
            if sync:
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Within it, an OSError that names no file, such as that of a write to a full disk, or the temporary one that
    stands for it, names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, temporary, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder outlive a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    """A hash of a file's size, beginning and end, by which it is recognised."""
    size = path.stat().st_size
    hashed = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        hashed.update(file.read(1 << 20))
        file.seek(max(0, size - (1 << 20)))
        hashed.update(file.read())
    return hashed.hexdigest()


def read_into(path: Path, offset: int, out: NDArray[Any]) -> Iterator[int]:
    """Fills a contiguous array from `offset` of a file, and yields how many bytes each read gave. InputError where
    the file ends before the array is full."""
    view = bytes_of(out)
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while len(view) > 0:
            got = file.readinto(view[:CHUNK])
            if not got:
                raise InputError(f"'{path}' ended while it was read: it is truncated")
            view = view[got:]
            yield got
