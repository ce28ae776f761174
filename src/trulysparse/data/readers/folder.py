"""Folders: of .npy files, whose samples stay in them, of images, or of a 10x matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.images import image_files, is_image_folder, read_images
from trulysparse.data.readers.request import Request
from trulysparse.data.readers.tenx import is_tenx_folder, read_tenx_folder, tenx_files
from trulysparse.data.stream.blocks import CsrBlocks, NpyBlocks, load_npy
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError


def read_folder(request: Request) -> Table:
    """The table of a folder, by the files in it."""
    path = request.path
    if any(file.suffix == ".npy" for file in path.iterdir()):
        return _read_npy(path, request.need_target)
    if request.options.stream:
        raise InputError(f"--stream: folder '{path}' has no .npy files; other folders are read as a whole")
    if is_tenx_folder(path):
        return read_tenx_folder(request)
    if is_image_folder(path):
        return read_images(request)
    raise InputError(
        f"DATA: folder '{path}' has neither X.npy nor X_indptr.npy, X_indices.npy and X_data.npy (nor X_train and "
        "X_test likewise), nor matrix.mtx of a 10x matrix, nor a folder of images for each class"
    )


def files_of(path: Path) -> list[Path]:
    """The files of a folder that read_folder reads."""
    named = sorted(file for file in path.iterdir() if file.suffix == ".npy")
    if named:
        return named
    return tenx_files(path) if is_tenx_folder(path) else image_files(path)


def _read_npy(path: Path, need_target: bool) -> Table:
    """X.npy, or CSR in X_indptr.npy, X_indices.npy and X_data.npy, and y.npy; or X_train, y_train, X_test, y_test
    likewise. Samples stay in their files."""

    def samples(name: str, n_features: int | None = None) -> StreamMatrix | None:
        if (path / f"{name}.npy").is_file():
            return StreamMatrix(NpyBlocks(path / f"{name}.npy"), name)
        if (path / f"{name}_indptr.npy").is_file():
            return StreamMatrix(CsrBlocks(path / name, n_features), name)
        return None

    def labels(name: str) -> NDArray[Any] | None:
        file = path / f"{name}.npy"
        return np.asarray(load_npy(file)) if file.is_file() else None

    parts = ("_train", "_test") if samples("X_train") is not None else ("",)
    matrices = [samples(f"X{parts[0]}")]
    if matrices[0] is None and (matrices := [samples("X_test")])[0] is not None and not need_target:
        return Table(matrices[0], labels("y_test"))
    if matrices[0] is None:
        raise InputError(
            f"DATA: folder '{path}' has neither X.npy nor X_indptr.npy, X_indices.npy and X_data.npy "
            "(nor X_train and X_test likewise)"
        )
    if len(parts) == 2:
        matrices.append(samples("X_test", matrices[0].n_features))
        if matrices[1] is None:
            raise InputError(f"DATA: folder '{path}' has X_train, but no X_test")
    y = [labels(f"y{part}") for part in parts]
    for part, values in zip(parts, y, strict=True):
        if values is None and need_target:
            raise InputError(f"DATA: folder '{path}' has no y{part}.npy")
    return Table(matrices[0], y[0]) if len(parts) == 1 else Table(matrices[0], y[0], matrices[1], y[1])
