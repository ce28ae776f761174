"""Large arrays of zeros, which take memory only as they are written to, or space on a disk."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import memory
from trulysparse.errors import InputError


def lazy_zeros(
    rows: int, width: int, kind: str, folder: str | os.PathLike[str] | None = None, what: str = "an array"
) -> NDArray[Any]:
    """An array of zeros to be read at random places.

    Args:
        rows: at least 1.
        width: at least 1.
        kind: type of the values, as NumPy spells it.
        folder: where its memory-mapped file lies, made where it is missing. The file has no name: it goes with the
            array, however the process ends. None: in memory, on huge pages where the system has them.
        what: it holds, for messages.

    Returns:
        (rows, width).

    Raises:
        InputError: where folder is a file.
        OSError: where the disk has no room for all of it.

    Example:
        >>> lazy_zeros(2, 3, "u1").tolist()
        [[0, 0, 0], [0, 0, 0]]
    """
    size = rows * width * np.dtype(kind).itemsize
    if folder is None:
        held, advice = mmap.mmap(-1, size), "MADV_HUGEPAGE"
    else:
        held, advice = _file(Path(folder), size, what), "MADV_RANDOM"
    if hasattr(mmap, advice):
        with contextlib.suppress(OSError):  # a system may be built without huge pages
            held.madvise(getattr(mmap, advice))
    return np.frombuffer(held, kind).reshape(rows, width)


def _file(folder: Path, size: int, what: str) -> mmap.mmap:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"folder: '{folder}' is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS: space on the disk is not reserved
                os.ftruncate(file.fileno(), size)
        except OSError as error:
            needed = f"{error.strerror}: there is no room for {memory.human(size)} more of {what}"
            raise OSError(error.errno, needed, str(folder)) from None
        return mmap.mmap(file.fileno(), size)
