"""Archives of arrays: X and y, a training and a test set, or what scipy.sparse.save_npz writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_SPLIT = ("X_train", "y_train", "X_test", "y_test")
_SPARSE = frozenset(("format", "shape", "data"))


def read_npz(request: Request) -> Table:
    """X and y, or X_train, y_train, X_test and y_test; or a matrix of save_npz, with y."""
    path, need_target = request.path, request.need_target
    with guarded(path, ".npz"):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"DATA: '{path}' holds a single array, not the archive of arrays that .npz files are")
        with archive:
            return _read(path, archive, need_target)


def _read(path: Path, archive: Any, need_target: bool) -> Table:
    present = set(archive.files)
    names = present & {"X", "y", *_SPLIT}
    if "X" not in names and present >= _SPARSE:
        names.add("X")
    both = sorted(names & set(_SPLIT))
    if both and names & {"X", "y"}:
        raise InputError(
            f"DATA: '{path}' has {'X' if 'X' in names else 'y'} and {both[0]}; an .npz file needs X and y, or X_train, "
            "y_train, X_test and y_test, not parts of both"
        )
    split = "X_train" in names
    wanted = _SPLIT if split else ("X", "y")
    required = wanted if need_target else (("X_test",) if "X_test" in names else ("X",))
    for name in required:
        if name not in names:
            raise InputError(
                f"DATA: '{path}' has no array '{name}'; an .npz file needs X and y, or X_train, y_train, X_test and "
                f"y_test (it has {', '.join(sorted(present)) or 'none'})"
            )
    if not split and "X" not in names:
        wanted = ("X_test", "y_test")
    arrays = {name: _array(path, archive, name) for name in wanted if name in names}
    X, y, X_test, y_test = (arrays.get(name) for name in (*wanted, "", "")[:4])
    return Table(X, y, X_test, y_test)


def _array(path: Path, archive: Any, name: str) -> Any:
    if name not in archive.files:
        return _sparse(path)
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
    if name.startswith("X") and array.ndim > 2:  # images
        array = array.reshape(len(array), -1)
    return array


def _sparse(path: Path) -> Any:
    """The matrix of scipy.sparse.save_npz, its indices checked, which SciPy does not do."""
    with path.open("rb") as file:
        matrix = sp.load_npz(file)
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    return sp.csr_array(matrix)
