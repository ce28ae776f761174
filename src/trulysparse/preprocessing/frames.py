"""Tables of any library as pandas DataFrames."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trulysparse.errors import InputError, MissingExtraError


def is_frame(X: Any) -> bool:
    """Whether X is a table with named columns.

    Args:
        X: anything.

    Returns:
        True for DataFrames of pandas and polars and tables of pyarrow.

    Example:
        >>> import numpy as np, pandas as pd
        >>> is_frame(pd.DataFrame({"a": [1]})), is_frame(np.ones((2, 2)))
        (True, False)
    """
    return _is_pandas(X) or (hasattr(X, "to_pandas") and (hasattr(X, "columns") or hasattr(X, "column_names")))


def needs_preprocessing(X: Any) -> bool:
    """Whether a table has columns that are not plain numbers without gaps.

    Args:
        X: anything; what is not a table needs none.

    Returns:
        True where a column holds text, categories, dates or gaps.

    Example:
        >>> import pandas as pd
        >>> needs_preprocessing(pd.DataFrame({"a": [1, 2]})), needs_preprocessing(pd.DataFrame({"a": [1, None]}))
        (False, True)
    """
    if not is_frame(X):
        return False
    frame = as_pandas(X)
    kinds = [getattr(dtype, "kind", "O") for dtype in frame.dtypes]
    return any(kind not in "iufb" for kind in kinds) or bool(frame.isna().any().any())


def as_pandas(X: Any, name: str = "X") -> Any:
    """A table as a pandas DataFrame.

    Args:
        X: see is_frame.
        name: how an error calls it.

    Raises:
        InputError: where it is empty, or a column name is there twice.
        MissingExtraError: where pandas, or pyarrow for a table of another library, is not installed.
    """
    if not _is_pandas(X):
        try:
            X = X.to_pandas()
        except ImportError:
            raise MissingExtraError(f"{name} of type {type(X).__name__}", "pandas and pyarrow", "tables") from None
    if 0 in X.shape:
        raise InputError(f"{name} is empty: shape {X.shape}")
    return X


def column_names(frame: Any, name: str = "X") -> list[str]:
    """The names of a DataFrame's columns as texts; InputError where one is there twice."""
    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names):
        twice = next(column for column, count in Counter(names).items() if count > 1)
        raise InputError(f"{name} has more than one column '{twice}'; give each a name of its own")
    return names


def _is_pandas(X: Any) -> bool:
    return hasattr(X, "iloc") and hasattr(X, "columns")
