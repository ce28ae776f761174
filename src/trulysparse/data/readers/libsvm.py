""".libsvm files, read whole. Such a file does not say whether it numbers its features from 0 or from 1."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from trulysparse.data.readers.guard import guarded, one_line
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_LARGEST = 2**31 - 2


def read_libsvm(request: Request, content: Content | None = None) -> Table:
    """A table in memory; its query ids are groups, and where a sample has any number of labels, y has a column for
    each."""
    path = request.path
    with guarded(path, ".libsvm"):
        content = Content(path) if content is None else content
        X, y, qid = _loaded(content)
    if X.shape[0] == 0:
        raise InputError(f"DATA: '{path}' has no samples")
    least, greatest = (int(X.indices.min()), int(X.indices.max())) if X.nnz else (1, 0)
    from_zero, width = numbering(path, least, greatest, request.n_features, request.options.zero_based)
    indices = X.indices if from_zero else X.indices - 1
    X = sp.csr_array((X.data, indices, X.indptr), shape=(X.shape[0], width))
    return libsvm_table(request, X, y, qid, from_zero)


def _loaded(content: Content) -> tuple[Any, Any, NDArray[np.int64]]:
    """(X numbered as in the file, labels or tuples of labels, query ids)."""

    def load(multilabel: bool) -> tuple[Any, Any, NDArray[np.int64]]:
        with content.open() as file:
            X, y, qid = load_svmlight_file(
                file, dtype=np.float32, zero_based=True, multilabel=multilabel, query_id=True
            )
        return X, y, qid

    try:
        try:
            return load(False)
        except ValueError as error:
            if "could not convert string to float" not in str(error):
                raise
            return load(True)  # lines such as `1,3 5:0.2`, or without a label
    except (ValueError, OverflowError) as error:
        raise InputError(f"DATA: '{content.path}' is not a libsvm file ({one_line(error)})") from None


def libsvm_table(request: Request, X: Any, y: Any, qid: NDArray[np.int64], zero_based: bool) -> Table:
    """The table of samples, y (labels, or a tuple of labels per sample) and query ids (none, or one per sample)."""
    if 0 < len(qid) < len(y):
        raise InputError(f"DATA: '{request.path}' has a qid in {len(qid)} of {len(y)} lines; it must be in all or none")
    labels, names, notes = y, None, [] if len(qid) == 0 else [f"groups: qid, {len(np.unique(qid))} of them"]
    if not isinstance(y, np.ndarray):
        labels, names = many_labels(y)
        notes.append(f"labels: any number per sample, of {len(names)}")
        if not names:
            if request.need_target:
                raise InputError(f"DATA: '{request.path}' has no labels; each line must begin with its label")
            labels = names = None
    notes.append(f"features: numbered from {0 if zero_based else 1}")
    return Table(X, labels, zero_based=zero_based, groups=qid if len(qid) else None, label_names=names, notes=notes)


def many_labels(rows: Sequence[tuple[float, ...]]) -> tuple[sp.csr_array, list[str]]:
    """(CSR of 0 and 1, samples x labels; names of the labels in ascending order)."""
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.fromiter(itertools.chain.from_iterable(rows), np.float64, int(sizes.sum()))
    labels, column = np.unique(values, return_inverse=True)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    matrix = sp.csr_array((np.ones(len(values), np.float32), column, indptr), shape=(len(rows), len(labels)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix, [f"{label:.15g}" for label in labels.tolist()]


def numbering(
    path: Path, least: int, greatest: int, n_features: int | None, zero_based: bool | None
) -> tuple[bool, int]:
    """(whether features are numbered from 0, how many there are) of a file whose numbers lie in [least, greatest].

    zero_based: None where it is not known. n_features: the network's inputs, None in training. A training file shows
    itself where its numbers begin; a later one may lack any feature, and then shows it only by a feature 0 or a feature
    n_features."""
    if zero_based is None:
        zero_based = least == 0
        if n_features is not None and not zero_based and 0 < greatest < n_features:
            raise InputError(
                f"DATA: '{path}' does not show whether its features are numbered from 0 or from 1, and the run was not "
                "trained on a .libsvm file: give --zero-based or --one-based"
            )
    begin = "numbered from 0" if zero_based else "numbered from 1"
    if least < 0 or (least == 0 and not zero_based):
        raise InputError(f"DATA: '{path}' has a feature {least}, but features are {begin}")
    width = greatest + zero_based
    if greatest > _LARGEST:
        raise InputError(f"DATA: '{path}' has a feature {greatest}; the largest number allowed is {_LARGEST}")
    if n_features is not None and width > n_features:
        raise InputError(f"DATA: '{path}' has a feature {greatest}, the network has {n_features} inputs ({begin})")
    return zero_based, width if n_features is None else n_features
