"""A classification task: training and test samples with coded labels."""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from trulysparse._core import checks
from trulysparse._core.random import stream_key
from trulysparse.data.matrix import as_matrix, check_finite
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError

_KINDS = {"m": "time spans", "c": "complex numbers", "V": "records of several fields"}
_AS_TEXT = str, int, float, Decimal, datetime.date, datetime.time, np.datetime64, np.number, np.bool_


@dataclass
class Dataset:
    """Training and test samples.

    Args:
        X_train: the training samples, as the table holds them.
        y_train: their classes, int32 codes into `labels`.
        X_test: the test samples.
        y_test: their classes, likewise.
        labels: the class labels, in ascending order.
    """

    X_train: Any
    y_train: NDArray[np.int32]
    X_test: Any
    y_test: NDArray[np.int32]
    labels: NDArray[Any]


def make_dataset(table: Table, *, test_size: float, seed: int) -> Dataset:
    """Splits a table into training and test samples and codes its labels.

    Args:
        table: samples and raw labels; see files.read.
        test_size: share of samples in the test set where the table has no split of its own, in (0, 1); stratified
            where every class has two samples.
        seed: of the split.

    Returns:
        The data set.

    Raises:
        InputError: for samples or labels that cannot be trained on, one class only, and labels of the test set that
            the training set lacks.

    Example:
        >>> from trulysparse.data.files import read
        >>> data = make_dataset(read("breast_cancer"), test_size=0.2, seed=0)
        >>> data.X_train.shape, data.X_test.shape, data.labels.tolist()
        ((455, 30), (114, 30), ['benign', 'malignant'])
    """
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
        raise InputError(
            f"label {missing[0].item()!r} has no sample left for training; lower --test-size or add samples"
        )
    codes = code_labels(y, labels, "y")
    return Dataset(take(table.X, train), codes[train], take(table.X, test), codes[test], labels)


def split(codes: NDArray[np.int32], *, test_size: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training samples, test samples), ascending; a seed gives the same split."""
    fraction = checks.real("test_size", test_size, low=0, high=1, low_open=True, high_open=True)
    n_test, counts = max(1, round(fraction * len(codes))), np.bincount(codes)
    stratify = codes if counts[counts > 0].min() > 1 and n_test >= len(counts) else None
    state = stream_key(seed, "split") % (2**32)
    train, test = train_test_split(np.arange(len(codes)), test_size=n_test, random_state=state, stratify=stratify)
    return np.sort(train), np.sort(test)


def take(X: Any, rows: NDArray[np.int64]) -> Any:
    """The samples `rows` of X."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def join(first: Any, second: Any) -> Any:
    """The samples of two sets, one after the other; None where one of them is None."""
    if first is None or second is None:
        return None
    widths = as_matrix(first).n_features, as_matrix(second).n_features
    if widths[0] != widths[1]:
        raise InputError(f"X_train has {widths[0]} features, but X_test has {widths[1]}")
    if isinstance(first, StreamMatrix) and isinstance(second, StreamMatrix):
        return first.followed_by(second)
    if sp.issparse(first) or sp.issparse(second):
        return sp.vstack([sp.csr_array(first), sp.csr_array(second)], format="csr")
    return np.concatenate([first, second])


def code_labels(y: NDArray[Any], labels: NDArray[Any], name: str) -> NDArray[np.int32]:
    """Positions of y in `labels`; InputError for a label that is missing there."""
    if (labels.dtype.kind in "US") != (y.dtype.kind in "US"):
        labels, y = labels.astype(str), y.astype(str)
    order = np.argsort(labels)
    at = order[np.minimum(np.searchsorted(labels, y, sorter=order), len(labels) - 1)]
    unknown = np.flatnonzero(labels[at] != y)
    if len(unknown):
        first = int(unknown[0])
        shown = ", ".join(map(str, labels[:10].tolist())) + (", ..." if len(labels) > 10 else "")
        raise InputError(f"{name}[{first}] is {y[first].item()!r}, which is not one of the training labels ({shown})")
    return at.astype(np.int32)


def raw_labels(y: Any, name: str) -> NDArray[Any]:
    """y as whole numbers, booleans or text, which a model file can hold: one per sample, none missing; InputError
    otherwise."""
    if y is None:
        raise InputError(f"{name} is missing: there is nothing to learn from or compare with")
    labels: NDArray[Any] = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    if labels.ndim != 1:
        raise InputError(f"{name} must be one label per sample, not of shape {labels.shape}")
    return _as_classes(labels, name)


def _as_classes(y: NDArray[Any], name: str) -> NDArray[Any]:
    kind = y.dtype.kind
    if kind in "biuU":
        return y
    if kind == "f":
        return _whole_numbers(y, name)
    if kind == "M":
        _refuse_missing(np.isnat(y), name)
        return y.astype(str)
    if kind in "OTS":
        values = y.astype(object)
        _refuse_missing(_missing(values), name)
        texts = [_text(value, f"{name}[{i}]") for i, value in enumerate(values)]
        return np.array(texts, dtype=str)
    raise InputError(f"{name} holds {_KINDS.get(kind, y.dtype)}; labels must be text, whole numbers or booleans")


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    pandas = sys.modules.get("pandas")  # where it was never imported, y cannot hold its kinds of missing values
    return np.array(
        [
            value is None
            or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
            or (isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value)))
            or (pandas is not None and (value is pandas.NA or value is pandas.NaT))
            for value in values
        ],
        dtype=bool,
    )


def _refuse_missing(missing: NDArray[np.bool_], name: str) -> None:
    if missing.any():
        raise InputError(f"{name}[{int(missing.argmax())}] is missing; every sample needs a label")


def _text(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InputError(f"{name} is {value!r}, bytes that are not text in UTF-8; labels must be text") from None
    if isinstance(value, _AS_TEXT) and not isinstance(value, np.complexfloating | np.timedelta64):
        return str(value)
    kind = type(checks.plain(value)).__name__
    raise InputError(f"{name} is of type {kind}; labels must be text, whole numbers or booleans")


def _whole_numbers(y: NDArray[Any], name: str) -> NDArray[np.int64]:
    _refuse_missing(np.isnan(y), name)
    wide = y.astype(np.float64, copy=False)  # 2**63 is beyond float16
    whole = np.where(np.abs(wide) < 2**63, wide, 0).astype(np.int64)
    wrong = np.flatnonzero(whole != y)
    if len(wrong):
        at = int(wrong[0])
        why = "not a class; for numbers as targets use SparseMLPRegressor" if np.isfinite(y[at]) else "not a label"
        raise InputError(f"{name}[{at}] is {y[at]}, {why}")
    return whole


def _labels(y: NDArray[Any]) -> NDArray[Any]:
    labels = np.unique(y)
    if len(labels) < 2:
        raise InputError(f"y has one class only ({labels[0].item()!r}); classification needs at least two")
    return labels


def _check_samples(X: Any, y: NDArray[Any], x_name: str, y_name: str) -> None:
    matrix = as_matrix(X, x_name)
    if matrix.n_samples != len(y):
        raise InputError(
            f"{x_name} has {matrix.n_samples} samples, but {y_name} has {len(y)}; the numbers must be equal"
        )
    if not matrix.streamed:
        check_finite(matrix)
