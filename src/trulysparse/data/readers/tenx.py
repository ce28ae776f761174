"""10x matrices of Cell Ranger: a folder of matrix.mtx, barcodes.tsv and features.tsv, or an .h5 file. They hold no
labels; those are in a file labels.csv in the same folder, whose first column holds barcodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.io import mmread

from trulysparse.data.readers.cells import cells_table, labels_file, unique_names
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError


def is_tenx_folder(path: Path) -> bool:
    """Whether the folder holds a matrix in 10x' form."""
    return _either(path, "matrix.mtx") is not None


def tenx_files(path: Path) -> list[Path]:
    """The files of a folder, or an .h5 file, that are read, with the labels."""
    own = [path] if path.is_file() else [file for name in _NAMES if (file := _either(path, name)) is not None]
    labels = labels_file(path.parent if path.is_file() else path)
    return own if labels is None else [*own, labels]


_NAMES = "matrix.mtx", "barcodes.tsv", "features.tsv", "genes.tsv"


def read_tenx_folder(request: Request) -> Table:
    """Cells x genes in CSR."""
    path = request.path
    matrix, barcodes = _either(path, "matrix.mtx"), _either(path, "barcodes.tsv")
    features = _either(path, "features.tsv") or _either(path, "genes.tsv")
    for file, name in ((barcodes, "barcodes.tsv"), (features, "features.tsv or genes.tsv")):
        if file is None:
            raise InputError(f"DATA: folder '{path}' has matrix.mtx, but no {name} (or that with .gz)")
    assert matrix is not None
    assert barcodes is not None
    assert features is not None
    with guarded(matrix, ".mtx"), Content(matrix).open() as source:
        X = mmread(source)
    if not sp.issparse(X):
        raise InputError(f"DATA: '{matrix}' must be in coordinate form, not an array")
    cells = [line.split("\t")[0] for line in _lines(barcodes)]
    rows = [line.split("\t") for line in _lines(features)]
    genes = unique_names([row[1] if len(row) > 1 else row[0] for row in rows], [row[0] for row in rows])
    if X.shape != (len(genes), len(cells)):
        raise InputError(
            f"DATA: '{matrix}' is of shape {tuple(X.shape)}, but '{features.name}' names {len(genes)} genes and "
            f"'{barcodes.name}' {len(cells)} cells"
        )
    return cells_table(request, sp.csr_array(X.T), genes, _known(request, path, cells), "its labels.csv")


def read_tenx_h5(request: Request) -> Table:
    """Cells x genes in CSR."""
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("reading .h5 files", "h5py", "omics") from None
    path = request.path
    with guarded(path, ".h5"), h5py.File(path, "r") as file:
        groups = [name for name, part in file.items() if isinstance(part, h5py.Group) and "indptr" in part]
        if len(groups) != 1:
            raise InputError(
                f"DATA: '{path}' is not a matrix as Cell Ranger writes it: it must hold one group with data, indices, "
                f"indptr and shape (it holds {', '.join(file) or 'nothing'})"
            )
        group = file[groups[0]]
        names, ids = (
            (group["features/name"], group["features/id"])
            if "features" in group
            else (group["gene_names"], group["genes"])
        )
        genes = unique_names(_text(names), _text(ids))
        cells = _text(group["barcodes"])
        n_genes, n_cells = (int(size) for size in group["shape"][:])
        parts = group["data"][:], group["indices"][:], group["indptr"][:]
        X = sp.csr_array(parts, shape=(n_cells, n_genes))  # genes x cells by columns is cells x genes by rows
        X.check_format(full_check=True)
        if (len(genes), len(cells)) != (n_genes, n_cells):
            raise InputError(
                f"DATA: '{path}' names {len(genes)} genes and {len(cells)} cells, not {n_genes} and {n_cells}"
            )
    return cells_table(request, X, genes, _known(request, path.parent, cells), "the file labels.csv beside it")


def _known(request: Request, folder: Path, cells: list[str]) -> Any:
    """What labels.csv says about the cells, in their order."""
    file = labels_file(folder)
    if file is None:
        if request.need_target:
            raise InputError(
                f"DATA: '{request.path}' holds no labels; they must be in '{folder / 'labels.csv'}', beside barcodes "
                "in its first column"
            )
        return None
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("reading labels of cells", "pandas and pyarrow", "tables") from None
    with guarded(file, ".csv"):
        known = pd.read_csv(
            file, sep=None, engine="python", dtype={0: str}, keep_default_na=False, encoding="utf-8-sig"
        )
        known = known.set_index(known.columns[0])
        known.index = known.index.astype(str)
    if known.index.has_duplicates:
        raise InputError(f"DATA: '{file}' names barcode '{known.index[known.index.duplicated()][0]}' twice")
    place = known.index.get_indexer(cells)
    if (place < 0).any() and request.need_target:
        first = int((place < 0).argmax())
        raise InputError(
            f"DATA: '{file}' has no label for barcode '{cells[first]}' ({int((place < 0).sum())} of {len(cells)} cells "
            "have none); every sample needs one"
        )
    return None if (place < 0).any() else known.iloc[place]


def _either(path: Path, name: str) -> Path | None:
    """The file, or that with .gz."""
    return next((file for file in (path / name, path / f"{name}.gz") if file.is_file()), None)


def _lines(path: Path) -> list[str]:
    with guarded(path, ".tsv"), Content(path).open() as file:
        return [line for line in file.read().decode().splitlines() if line]


def _text(values: Any) -> list[str]:
    return [value.decode() for value in np.asarray(values).tolist()]
