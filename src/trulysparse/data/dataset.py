"""A classification task: training and test samples with coded labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from trulysparse import _checks
from trulysparse._random import stream_key
from trulysparse.data.files import Table
from trulysparse.data.matrix import as_matrix, check_finite
from trulysparse.errors import InputError


@dataclass
class Dataset:
    """X as users have it, y as int32 codes into `labels`."""

    X_train: Any
    y_train: NDArray[np.int32]
    X_test: Any
    y_test: NDArray[np.int32]
    labels: NDArray[Any]


def make_dataset(table: Table, *, test_size: float, seed: int) -> Dataset:
    """Training and test samples of a table. Where it has no split of its own, the share `test_size` is held
    out, stratified where every class has two samples. InputError for anything that cannot be trained on."""
    y = raw_labels(table.y, "y")
    _check_samples(table.X, y, "X", "y")
    if table.X_test is not None:
        y_test = raw_labels(table.y_test, "y_test")
        _check_samples(table.X_test, y_test, "X_test", "y_test")
        widths = as_matrix(table.X).n_features, as_matrix(table.X_test).n_features
        if widths[0] != widths[1]:
            raise InputError(f"X_train has {widths[0]} features, but X_test has {widths[1]}")
        labels = _labels(y)
        return Dataset(
            table.X, code_labels(y, labels, "y_train"), table.X_test, code_labels(y_test, labels, "y_test"), labels
        )
    labels = _labels(y)
    train, test = split(code_labels(y, labels, "y"), test_size=test_size, seed=seed)
    missing = np.setdiff1d(labels, y[train])
    if len(missing):
        raise InputError(f"label {missing[0]!r} has no sample left for training; lower --test-size or add samples")
    codes = code_labels(y, labels, "y")
    return Dataset(take(table.X, train), codes[train], take(table.X, test), codes[test], labels)


def split(codes: NDArray[np.int32], *, test_size: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training samples, test samples), ascending; the same for a seed."""
    fraction = _checks.real("test_size", test_size, low=0, high=1, low_open=True, high_open=True)
    n_test, counts = max(1, round(fraction * len(codes))), np.bincount(codes)
    stratify = codes if counts[counts > 0].min() > 1 and n_test >= len(counts) else None
    state = stream_key(seed, "split") % (2**32)
    train, test = train_test_split(np.arange(len(codes)), test_size=n_test, random_state=state, stratify=stratify)
    return np.sort(train), np.sort(test)


def take(X: Any, rows: NDArray[np.int64]) -> Any:
    """The samples `rows` of X."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def code_labels(y: NDArray[Any], labels: NDArray[Any], name: str) -> NDArray[np.int32]:
    """Positions of y in the sorted `labels`; InputError for a label that is not there."""
    if labels.dtype.kind in "US" and y.dtype.kind not in "US":
        y = y.astype(str)
    at = np.minimum(np.searchsorted(labels, y), len(labels) - 1)
    unknown = np.flatnonzero(labels[at] != y)
    if len(unknown):
        first = int(unknown[0])
        shown = ", ".join(map(str, labels[:10].tolist())) + (", ..." if len(labels) > 10 else "")
        raise InputError(f"{name}[{first}] is {y[first].item()!r}, a label that training never saw; it knows {shown}")
    return at.astype(np.int32)


def raw_labels(y: Any, name: str) -> NDArray[Any]:
    """y as whole numbers or strings, one a sample, none missing; InputError otherwise."""
    if y is None:
        raise InputError(f"{name} is missing: there is nothing to learn from or compare with")
    labels: NDArray[Any] = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    if labels.ndim != 1:
        raise InputError(f"{name} must be one label a sample, not of shape {labels.shape}")
    return _as_classes(labels, name)


def _as_classes(y: NDArray[Any], name: str) -> NDArray[Any]:
    if y.dtype.kind == "O":
        empty = np.flatnonzero([value is None or (isinstance(value, float) and np.isnan(value)) for value in y])
        if len(empty):
            raise InputError(f"{name}[{empty[0]}] is missing; every sample needs a label")
        return y.astype(str)
    if y.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(y))
        if len(wrong):
            raise InputError(f"{name}[{wrong[0]}] is {y[wrong[0]]}; every sample needs a label")
        whole = y.astype(np.int64)
        if not np.array_equal(whole, y):
            at = int(np.flatnonzero(whole != y)[0])
            raise InputError(f"{name}[{at}] is {y[at]}, not a class; for numbers as targets use SparseMLPRegressor")
        return whole
    return y


def _labels(y: NDArray[Any]) -> NDArray[Any]:
    labels = np.unique(y)
    if len(labels) < 2:
        raise InputError(f"y has one class only ({labels[0].item()!r}); classification needs at least two")
    return labels


def _check_samples(X: Any, y: NDArray[Any], x_name: str, y_name: str) -> None:
    matrix = as_matrix(X, x_name)
    if matrix.n_samples != len(y):
        raise InputError(f"{x_name} has {matrix.n_samples} samples, but {y_name} has {len(y)}; they must be as many")
    if not matrix.streamed:
        check_finite(matrix)
