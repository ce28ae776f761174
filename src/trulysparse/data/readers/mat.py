""".mat files of MATLAB: X and Y in any letters, or the only matrix and the only vector. SciPy reads those up to version
7, h5py those of version 7.3, which are HDF5 files."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.io import loadmat

from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.mat_elements import check_elements
from trulysparse.data.readers.named_arrays import as_rows, roles, table_of_arrays
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError


def read_mat(request: Request) -> Table:
    """A table in memory; sparse matrices stay sparse."""
    path = request.path
    with guarded(path, ".mat"):
        with path.open("rb") as file:
            newer = file.read(128).startswith(b"MATLAB 7.3")
        found = _newer(path) if newer else _older(path)
        arrays = {name: array for name, array in ((n, _plain(v)) for n, v in found.items()) if array is not None}
        called = roles(arrays)
        notes: list[str] = []
        if "X" not in called and "X_train" not in called:
            arrays, notes = _by_shape(path, arrays, request.need_target)
        table = table_of_arrays(path, "a .mat file", arrays, arrays.__getitem__, request.need_target)
    for name in ("X", "X_test"):
        if getattr(table, name) is not None:
            setattr(table, name, _samples(path, getattr(table, name)))
    for name in ("y", "y_test"):
        if getattr(table, name) is not None:
            setattr(table, name, _labels(getattr(table, name)))
    table.notes = notes or table.notes
    return table


def _older(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last view of it
    check_elements(memoryview(content))
    return {name: value for name, value in loadmat(str(path), appendmat=False).items() if not name.startswith("__")}


def _newer(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("reading .mat files of version 7.3", "h5py", "omics") from None

    def text(codes: Any) -> str:
        return "".join(map(chr, np.asarray(codes).ravel().tolist()))

    def value(item: Any, file: Any) -> Any:
        kind = item.attrs.get("MATLAB_class", b"").decode()
        if isinstance(item, h5py.Group):  # a sparse matrix, by columns
            if not {"data", "ir", "jc"} <= set(item):
                return None if kind != "double" or "jc" not in item else sp.csr_array((0, 0))
            shape = (int(item.attrs["MATLAB_sparse"]), len(item["jc"]) - 1)
            parts = [np.asarray(item[part]) for part in ("data", "ir", "jc")]
            matrix = sp.csc_array((parts[0], parts[1].astype(np.int64), parts[2].astype(np.int64)), shape=shape)
            matrix.check_format(full_check=True)
            return matrix
        if kind == "cell":
            inner = [file[reference] for reference in np.asarray(item).T.ravel()]
            if all(each.attrs.get("MATLAB_class") == b"char" for each in inner):
                return np.array([text(each) for each in inner], dtype=object)
            return None
        return np.asarray(item).T if kind != "char" else None

    with h5py.File(path, "r") as file:
        return {name: value(item, file) for name, item in file.items() if not name.startswith("#")}


def _plain(value: Any) -> Any:
    """Numbers as they are, cells of text as text; None for anything else."""
    if sp.issparse(value):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "biufU":
        return array
    if array.dtype == object and array.size:
        texts = [part.item() if isinstance(part, np.ndarray) and part.size == 1 else part for part in array.ravel()]
        if all(isinstance(part, str) for part in texts):
            return np.array(texts, dtype=object)
    return None


def _by_shape(path: Path, arrays: dict[str, Any], need_target: bool) -> tuple[dict[str, Any], list[str]]:
    """The only matrix as X and the only vector of as many values as y."""
    matrices = [name for name, array in arrays.items() if array.ndim > 1 and min(array.shape) > 1]
    shown = ", ".join(f"{name} {tuple(array.shape)}" for name, array in sorted(arrays.items())) or "none"
    if len(matrices) != 1:
        raise InputError(
            f"DATA: '{path}' has no array 'X', and not one matrix that could be meant; a .mat file needs X and Y, or "
            f"one matrix and one vector (it has {shown})"
        )
    n_samples = arrays[matrices[0]].shape[0]
    vectors = [
        name
        for name, array in arrays.items()
        if name != matrices[0] and not sp.issparse(array) and array.size == n_samples
    ]
    if len(vectors) != 1:
        if need_target:
            raise InputError(
                f"DATA: '{path}' has no array 'y', and not one vector of {n_samples} values that could be meant (it "
                f"has {shown})"
            )
        return {"X": arrays[matrices[0]]}, [f"X: '{matrices[0]}'"]
    return {"X": arrays[matrices[0]], "y": arrays[vectors[0]]}, [f"X: '{matrices[0]}', y: '{vectors[0]}'"]


def _samples(path: Path, array: Any) -> Any:
    if sp.issparse(array):
        return sp.csr_array(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"DATA: '{path}' holds text as X; features must be numbers")
    return np.ascontiguousarray(as_rows(array))


def _labels(array: Any) -> Any:
    """A row or a column of labels as a vector; a matrix (of several targets) as it is."""
    if sp.issparse(array):
        return sp.csr_array(array)
    if array.dtype.kind == "U":
        array = np.char.rstrip(array)
    return array.ravel() if array.ndim == 2 and min(array.shape) == 1 else array
