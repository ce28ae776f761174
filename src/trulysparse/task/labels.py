"""Labels as they enter: known to be savable, complete, and found again."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.errors import InputError

_KINDS = {"m": "time spans", "c": "complex numbers", "V": "records of several fields"}
_AS_TEXT = str, int, float, Decimal, datetime.date, datetime.time, np.datetime64, np.number, np.bool_


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


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the objects stand for a gap: None, NaN, NaT, pandas.NA."""
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


def refuse_missing(gaps: NDArray[np.bool_], name: str) -> None:
    """InputError at the first sample without a label."""
    if gaps.any():
        more = int(np.count_nonzero(gaps)) - 1
        said = f"is missing, and {more} more;" if more else "is missing;"
        raise InputError(f"{name}[{int(gaps.argmax())}] {said} every sample needs a label")


def _as_classes(y: NDArray[Any], name: str) -> NDArray[Any]:
    kind = y.dtype.kind
    if kind in "biuU":
        return y
    if kind == "f":
        return _whole_numbers(y, name)
    if kind == "M":
        refuse_missing(np.isnat(y), name)
        return y.astype(str)
    if kind in "OTS":
        values = y.astype(object)
        refuse_missing(missing(values), name)
        if all(isinstance(value, bool | np.bool_) for value in values):
            return values.astype(bool)
        texts = [_text(value, f"{name}[{i}]") for i, value in enumerate(values)]
        return np.array(texts, dtype=str)
    raise InputError(f"{name} holds {_KINDS.get(kind, y.dtype)}; labels must be text, whole numbers or booleans")


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
    refuse_missing(np.isnan(y), name)
    wide = y.astype(np.float64, copy=False)  # 2**63 is beyond float16
    whole = np.where(np.abs(wide) < 2**63, wide, 0).astype(np.int64)
    wrong = np.flatnonzero(whole != y)
    if len(wrong):
        at = int(wrong[0])
        why = "not a class; numbers as targets are a regression" if np.isfinite(y[at]) else "not a label"
        raise InputError(f"{name}[{at}] is {y[at]}, {why}")
    return whole
