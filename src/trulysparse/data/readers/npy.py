"""A .npy file of samples, with its labels in a .npy file beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse.data.readers.named_arrays import as_rows
from trulysparse.data.readers.request import Request
from trulysparse.data.stream.blocks import NpyBlocks, load_npy
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_SAMPLES = re.compile(r"(?<![A-Za-z0-9])([Xx])(?![A-Za-z0-9])")
_TRAIN = re.compile(r"(?<![A-Za-z0-9])train(?![A-Za-z0-9])")


def read_npy(request: Request) -> Table:
    """X.npy with y.npy beside it; X_train.npy with y_train.npy, and X_test.npy and y_test.npy where they are there."""
    path = request.path
    parts = npy_parts(path)
    if parts is None:
        raise InputError(
            f"DATA: '{path}' must be called X.npy or X_train.npy (or with more words, as in night_X.npy): labels are "
            "in the file beside it with y instead of X"
        )
    samples, labels, more_samples, more_labels = parts
    if request.need_target and not labels.is_file():
        raise InputError(f"DATA: '{path}' has no labels; they must be in '{labels}'")
    if more_samples is None or more_labels is None:
        return Table(_samples(samples, request), _labels(labels))
    if request.need_target and not more_labels.is_file():
        raise InputError(
            f"DATA: '{path}' has a test set, '{more_samples}', without labels; they must be in '{more_labels}'"
        )
    return Table(
        _samples(samples, request, "X_train"),
        _labels(labels),
        _samples(more_samples, request, "X_test"),
        _labels(more_labels),
        notes=[f"test set: '{more_samples.name}'"],
    )


def npy_parts(path: Path) -> tuple[Path, Path, Path | None, Path | None] | None:
    """(samples, labels, test samples or None, their labels or None), as files; None where the name does not tell."""
    found = _SAMPLES.search(path.stem)
    if found is None:
        return None

    def beside(stem: str) -> Path:
        return path.with_name(f"{stem}{path.suffix}")

    letter = "y" if found[1] == "x" or beside(_swapped(path.stem, found, "y")).is_file() else "Y"
    letter = letter if beside(_swapped(path.stem, found, letter)).is_file() else "y"
    labels = beside(_swapped(path.stem, found, letter))
    test = beside(_TRAIN.sub("test", path.stem))
    if _TRAIN.search(path.stem) is None or not test.is_file():
        return path, labels, None, None
    return path, labels, test, beside(_TRAIN.sub("test", labels.stem))


def _swapped(stem: str, found: re.Match[str], letter: str) -> str:
    return stem[: found.start()] + letter + stem[found.end() :]


def _samples(path: Path, request: Request, name: str = "X") -> Any:
    if request.options.stream:
        return StreamMatrix(NpyBlocks(path), name)
    return as_rows(np.asarray(load_npy(path)))


def _labels(path: Path) -> Any:
    return np.asarray(load_npy(path)) if path.is_file() else None
