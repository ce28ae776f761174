"""Folders of .npy files, whose samples stay in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.stream.blocks import CsrBlocks, NpyBlocks, load_npy
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError


def read_folder(path: Path, need_target: bool) -> Table:
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
