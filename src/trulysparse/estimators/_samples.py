"""Samples and targets as users of scikit-learn have them: arrays, sparse matrices, tables of any library."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_X_y, validate_data

from trulysparse._core.sparse import check_sparse, to_csr
from trulysparse.data.sparse import AXES
from trulysparse.errors import InputError
from trulysparse.preprocessing import TablePreprocessor, is_frame, needs_preprocessing
from trulysparse.preprocessing.frames import as_pandas, column_names

_SPARSE = ("csr", "csc")


def checked_samples(
    estimator: Any, X: Any, y: Any = None, *, reset: bool, as_stored: bool = False, **options: Any
) -> tuple[Any, Any]:
    """X and y after scikit-learn's own checks, whose messages its users know.

    Args:
        estimator: whose n_features_in_ and feature_names_in_ are set or compared; with reset=False also its
            preprocessor_, where that is not None, says that X is a table.
        X: (n_samples, n_features).
        y: targets; None: samples alone.
        reset: whether X is what the estimator is fitted to.
        as_stored: whether numbers of every type stay as they are; else booleans and those of 8 bytes become floats.
        **options: of scikit-learn's checks of y.

    Returns:
        (X, y). X is an array, a CSR or CSC matrix or, where it has columns that are not plain numbers, a DataFrame; see
        `encoded`.

    Raises:
        ValueError: where they cannot be used.
    """
    preprocessor: TablePreprocessor | None = None if reset else estimator.preprocessor_
    if is_frame(X):
        frame = as_pandas(X)
        column_names(frame)
        mixed = needs_preprocessing(frame)
        if preprocessor is not None or (reset and mixed):
            return _checked_table(estimator, frame, y, reset, options)
        if mixed:
            raise _not_as_fitted(frame)
        X = frame
    elif preprocessor is not None:
        return _checked_table(estimator, X, y, reset, options)
    X = _checked_sparse(X)
    types = None if as_stored and _are_stored(X) else _float_types(X)
    if y is None and not options:
        return validate_data(estimator, X, reset=reset, accept_sparse=_SPARSE, dtype=types), None
    X, y = validate_data(estimator, X, as_target(y), reset=reset, accept_sparse=_SPARSE, dtype=types, **options)
    return X, y


def as_target(y: Any) -> Any:
    """y in a form that scikit-learn reads: columns and tables of polars and pyarrow as arrays.

    Raises:
        InputError: where there are gaps among columns of pandas or labels of any type.
    """
    if hasattr(y, "iloc"):
        wrong = np.flatnonzero(np.asarray(y.isna()).reshape(len(y), -1).any(axis=1))
        if len(wrong):
            raise _missing(int(wrong[0]))
        return y
    if y is None or sp.issparse(y):
        return y
    if isinstance(y, np.ndarray | list | tuple):
        _refuse_gaps(y)
        return y
    if is_frame(y):
        return as_target(as_pandas(y, "y")).to_numpy()
    if not hasattr(y, "to_numpy"):
        return y
    values = np.asarray(y)
    _refuse_gaps(values)
    return values


def _refuse_gaps(y: Any) -> None:
    """InputError where there are None, NaN or pandas.NA among labels of any type; numbers are not looked at."""
    if not isinstance(y, np.ndarray):  # in an array of texts, None and NaN would be texts like others
        try:
            y = np.array(y, dtype=object)
        except ValueError:  # rows differ in length
            return
    if y.dtype != object or not 1 <= y.ndim <= 2 or not y.size or _are_numbers(y):
        return
    pandas = sys.modules.get("pandas")  # without it there is no pandas.NA
    gaps = (y == None) | (y != y) if pandas is None else pandas.isna(y)  # noqa: E711, PLR0124  # value by value
    rows = np.flatnonzero(gaps.reshape(len(y), -1).any(axis=1))
    if len(rows):
        raise _missing(int(rows[0]))


def _are_numbers(y: Any) -> bool:
    try:
        y.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def n_columns(y: Any) -> int:
    """How many columns y has; 0 where it has one dimension."""
    y = as_target(y)
    if y is None:
        return 0
    try:
        shape = y.shape if sp.issparse(y) or hasattr(y, "iloc") else np.asarray(y).shape
    except ValueError:  # rows differ in length, of which scikit-learn has more to say
        return 0
    return int(shape[1]) if len(shape) == 2 else 0


def taken(X: Any, rows: NDArray[np.int64]) -> Any:
    """The samples `rows`."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def encoded(X: Any, preprocessor: TablePreprocessor | None) -> Any:
    """What the network reads: of a DataFrame, what the preprocessor makes of it."""
    return X if preprocessor is None else preprocessor.encode(X)


def fitted_preprocessor(X: Any) -> TablePreprocessor | None:
    """Fitted to a DataFrame; None for what needs none."""
    return TablePreprocessor().fit(X) if hasattr(X, "iloc") else None


def as_table(X: Any, preprocessor: TablePreprocessor) -> Any:
    """Checked samples as a DataFrame, with the names of the columns that the preprocessor was fitted to.

    Raises:
        InputError: where they cannot stand for such a table.
    """
    if hasattr(X, "iloc"):
        return X
    _check_array(X)
    if X.shape[1] != preprocessor.n_features_in_:
        raise InputError(f"X has {X.shape[1]} columns, but the fitted table had {preprocessor.n_features_in_}")
    return _with_names(X, preprocessor)


def _checked_table(estimator: Any, frame: Any, y: Any, reset: bool, options: dict[str, Any]) -> tuple[Any, Any]:
    if not hasattr(frame, "iloc"):
        _check_array(frame)
    validate_data(estimator, frame, reset=reset, skip_check_array=True)
    if not hasattr(frame, "iloc"):
        frame = _with_names(frame, estimator.preprocessor_)
    if y is None and not options:
        return frame, None
    return frame, check_X_y(np.zeros((len(frame), 1)), as_target(y), estimator=estimator, **options)[1]


def _check_array(X: Any) -> None:
    """InputError where X cannot stand for a table."""
    if sp.issparse(X):
        raise InputError("X must be a table with the columns of the fitted one, not a sparse matrix")
    shape = np.shape(X)
    if len(shape) != 2:
        raise InputError(f"X must be a table with the columns of the fitted one, not of shape {shape}")


def _with_names(X: Any, preprocessor: TablePreprocessor) -> Any:
    """An array with the columns of the table that was fitted to, as a table."""
    import pandas as pd

    return pd.DataFrame(np.asarray(X), columns=preprocessor.feature_names_in_).infer_objects()


def _not_as_fitted(frame: Any) -> InputError:
    """The error for a table with a column that is not plain numbers, where there was none in fitting."""
    column = next(name for name in frame.columns if needs_preprocessing(frame[[name]]))
    holds = "gaps" if getattr(frame[column].dtype, "kind", "O") in "iufb" else str(frame[column].dtype)
    return InputError(
        f"X: column '{column}' holds {holds}, but the table that was fitted to has plain numbers without gaps alone"
    )


def _missing(sample: int) -> InputError:
    return InputError(f"y[{sample}] is missing; every sample needs a target")


def _float_types(X: Any) -> list[type] | None:
    """Arrays of small numeric types are read as they are; everything else must become floating point."""
    small = isinstance(X, np.ndarray) and X.dtype.kind in "iuf" and X.dtype.itemsize <= 4
    return None if small else [np.float64, np.float32]


def _are_stored(X: Any) -> bool:
    """Whether X is an array or a sparse matrix of numbers."""
    return (isinstance(X, np.ndarray) or sp.issparse(X)) and X.dtype.kind in "biuf" and X.dtype.itemsize <= 8


def _checked_sparse(X: Any) -> Any:
    """X; a sparse one checked before anyone trusts its indices, and in a format that the network reads."""
    if not sp.issparse(X):
        return X
    if X.format not in _SPARSE:
        return to_csr(X, "X", AXES)
    check_sparse(X, "X", AXES)
    return X
