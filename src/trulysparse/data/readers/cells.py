"""Labels and genes of single cells, as readers of AnnData and 10x files share them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from trulysparse.data.readers.columns import GENES, Choice, choose
from trulysparse.data.readers.frame_table import targets_of
from trulysparse.data.readers.request import Request
from trulysparse.data.readers.text_columns import groups_of, order_of
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_TARGETS = ("target", "label", "labels", "class", "y", "cell_type", "celltype", "CellType")


def unique_names(names: list[str], ids: list[str]) -> list[str]:
    """Names of genes; those that several genes have, with their id."""
    count = Counter(names)
    return [name if count[name] == 1 else f"{name} ({own})" for name, own in zip(names, ids, strict=True)]


def cells_table(request: Request, X: Any, genes: list[str], cells: Any, where: str) -> Table:
    """The table of a matrix of cells x genes.

    Args:
        request: what is asked for.
        X: the matrix; sparse ones become CSR.
        genes: names of its columns.
        cells: a DataFrame of what is known about its rows; None: nothing.
        where: what messages call that.

    Returns:
        The table.

    Raises:
        InputError: where the target is not known, is missing for a cell, or a gene that was trained on is not there.
    """
    known = [] if cells is None else [str(name) for name in cells.columns]
    choice = _chosen(request, known, where)
    X = sp.csr_array(X) if sp.issparse(X) else np.asarray(X)
    features = genes
    if request.features is not None and request.features != genes:
        features = request.features
        place = {gene: i for i, gene in enumerate(genes)}
        missing = next((gene for gene in features if gene not in place), None)
        if missing is not None:
            raise InputError(f"DATA: '{request.path}' has no gene '{missing}', which the model was trained on")
        columns = [place[gene] for gene in features]
        X = sp.csr_array(sp.csc_array(X)[:, columns]) if sp.issparse(X) else X[:, columns]
    return Table(
        X,
        targets_of(cells, choice),
        features=features,
        target=choice.target,
        groups=None if choice.group is None else groups_of(cells[choice.group]),
        order=None if choice.time is None else order_of(cells[choice.time]),
        notes=choice.notes,
    )


def _chosen(request: Request, known: list[str], where: str) -> Choice:
    """Targets, group and time among the columns of the cells; a target is guessed by its name alone."""
    options = request.options
    usual = next(([name] for name in _TARGETS if name in known), [])
    if options.target is None and not usual:
        if request.need_target:
            raise InputError(
                f"DATA: '{request.path}' does not say what to learn; --target must name a column of {where} "
                f"({', '.join(known[:10]) or 'it has none'})"
            )
        return Choice([], [])
    inner = Request(request.path, options, [GENES], None, request.need_target)
    choice = choose(inner, [GENES, *known], usual)
    if options.target is None:
        choice.notes = [f"target: '{usual[0]}' (a column of {where}, by its name; give --target to choose another)"]
    return choice


def labels_file(folder: Path) -> Path | None:
    """labels.csv, labels.tsv or labels.txt in a folder, compressed or not."""
    for suffix in (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz"):
        if (folder / f"labels{suffix}").is_file():
            return folder / f"labels{suffix}"
    return None
