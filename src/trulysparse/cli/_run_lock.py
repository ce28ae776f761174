"""The lock on a run folder: one training at a time, and no trace of one that was refused."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from trulysparse.cli._run import CHECKPOINT, CONFIG, METRICS, MODEL, NEW, PARTIAL, REPORT, RESULTS, settle
from trulysparse.errors import InputError

LOCK = ".lock"
FILES = (LOCK, MODEL, CONFIG, METRICS, PARTIAL, RESULTS, REPORT)
FOLDERS = (NEW, CHECKPOINT)


class RunLock:
    """Keeps other trainings out of a run folder. On leaving, the lock is removed, and with it the folders that were
    made for it, where nothing was written to them.

    Attributes:
        files, folders: names that a run writes."""

    files: Sequence[str] = FILES
    folders: Sequence[str] = FOLDERS

    def __init__(self, path: Path, argument: str = "--out") -> None:
        self.path = path
        self._argument = argument
        self._made: list[Path] = []
        self._handle: int | None = None

    def __enter__(self) -> Self:
        nearest = self.path
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise InputError(f"{self._argument}: '{nearest}' is a file, not a folder")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise InputError(f"{self._argument}: folder '{nearest}' cannot be written to")
        self._check_names()
        return self

    def _check_names(self) -> None:
        """InputError where something else stands under a name that a run writes: better known before training."""
        for names, is_right, right in ((self.files, Path.is_file, "file"), (self.folders, Path.is_dir, "folder")):
            for path in (self.path / name for name in names):
                if os.path.lexists(path) and not is_right(path):
                    raise InputError(f"{self._argument}: '{path}' is in the way: a run has a {right} of that name")

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            (self.path / LOCK).unlink(missing_ok=True)  # still held: no other process has it
            os.close(self._handle)
            self._handle = None
        for folder in self._made:
            if any(folder.iterdir()):
                break
            folder.rmdir()

    @property
    def claimed(self) -> bool:
        """Whether the folder is this process' own."""
        return self._handle is not None

    def claim(self) -> None:
        """Makes the folder, where it is not there yet, and keeps others out of it."""
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        for folder in reversed(missing):
            try:
                folder.mkdir()
                self._made.insert(0, folder)
            except FileExistsError:  # another training made it meanwhile
                continue
        self._lock()

    def _lock(self) -> None:
        file = self.path / LOCK
        while True:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                here = os.stat(file).st_ino == os.fstat(handle).st_ino
            except BlockingIOError:
                os.close(handle)
                raise InputError(f"{self._argument}: another training is at work in '{self.path}'") from None
            except FileNotFoundError:  # its owner ended and removed it between our two calls
                here = False
            except BaseException:
                os.close(handle)
                raise
            if here:
                break
            os.close(handle)
        self._handle = handle
        self.settle()

    def settle(self) -> None:
        """Puts right what a process that died left in the folder, which is now this one's own."""
        settle(self.path)
