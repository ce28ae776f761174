""".libsvm files, read whole. Such a file does not say whether it numbers its features from 0 or from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_svmlight_file

from trulysparse.data.readers.guard import guarded, one_line
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_LARGEST = 2**31 - 2


def read_libsvm(path: Path, n_features: int | None, zero_based: bool | None) -> Table:
    """A table in memory."""
    with guarded(path, ".libsvm"):
        try:
            X, y = load_svmlight_file(str(path), dtype=np.float32, zero_based=True)
        except (ValueError, OverflowError) as error:
            raise InputError(f"DATA: '{path}' is not a libsvm file ({one_line(error)})") from None
    if X.shape[0] == 0:
        raise InputError(f"DATA: '{path}' has no samples")
    least, greatest = (int(X.indices.min()), int(X.indices.max())) if X.nnz else (1, 0)
    from_zero, width = numbering(path, least, greatest, n_features, zero_based)
    indices = X.indices if from_zero else X.indices - 1
    return Table(sp.csr_array((X.data, indices, X.indptr), shape=(X.shape[0], width)), y, zero_based=from_zero)


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
