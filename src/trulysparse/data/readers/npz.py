"""Archives of arrays: X and y, a training and a test set, or what scipy.sparse.save_npz writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import scipy.sparse as sp

from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.named_arrays import as_rows, roles, table_of_arrays
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_SPARSE = frozenset(("format", "shape", "data"))
_NOT_WHOLE = "is not a whole .npz file (it is not an archive)"
_MATRIX = "the matrix of save_npz"


def read_npz(request: Request) -> Table:
    """X and y, or X_train, y_train, X_test and y_test; or a matrix of save_npz, with y."""
    path = request.path
    with guarded(path, ".npz"):
        if not is_zipfile(path):  # NumPy would take it for a pickle
            with path.open("rb") as file:
                single = file.read(6) == b"\x93NUMPY"
            what = "holds a single array, not the archive of arrays that .npz files are" if single else _NOT_WHOLE
            raise InputError(f"DATA: '{path}' {what}")
        archive = np.load(path, allow_pickle=False)
        with archive:
            x_name = _MATRIX if set(archive.files) >= _SPARSE else None

            def get(name: str) -> Any:
                return _sparse(path) if name == _MATRIX else _array(path, archive, name)

            table = table_of_arrays(path, "an .npz file", archive.files, get, request.need_target, x_name)
    table.notes = [note for note in table.notes if _MATRIX not in note]
    return table


def _array(path: Path, archive: Any, name: str) -> Any:
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"DATA: '{path}' holds Python objects in '{name}', which cannot be read without pickle; store plain arrays"
        ) from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"DATA: '{path}' holds something else than an array as '{name}'")
    return as_rows(array) if next(iter(roles([name])), "").startswith("X") else array


def _sparse(path: Path) -> Any:
    """The matrix of scipy.sparse.save_npz, its indices checked, which SciPy does not do."""
    with path.open("rb") as file:
        matrix = sp.load_npz(file)
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    return sp.csr_array(matrix)
