"""TablePreprocessor: a table of mixed columns as numbers for a network, fitted on training data."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.preprocessing import encode
from trulysparse.preprocessing.fit_columns import ColumnFitter
from trulysparse.preprocessing.fitted import FittedColumns
from trulysparse.preprocessing.frames import as_pandas, is_frame

_MISSING = ("impute", "refuse")
_DTYPES = ("float32", "float64")
_NARROW, _THRESHOLD = 128, 0.3  # see sparse_threshold


class TablePreprocessor(TransformerMixin, BaseEstimator):
    """Turns a table of numbers, texts, categories, booleans and gaps into numbers.

    Numbers stay as they are; booleans become 0 and 1. Each category has an output, 1 where a row has it; categories
    are compared as texts, so 1, 1.0 and "1" are the same one. Of more than `max_categories`, the most frequent have
    an output each (of equally frequent ones the first by name), and all others share the output 'other'. A category
    that was not seen in fitting counts as 'other' where a column has that output, and else as none: all 0.

    A gap in numbers or booleans becomes the median of the training data; a column with gaps in the training data gets
    an output that is 1 where there is one. A gap among categories is a category of its own; where the training data
    had none in that column, it counts as a category that was not seen.

    Columns that say nothing (constant, empty, equal to another, or a text of its own in each of 20 or more rows) have
    no output, and a later table need not have them. `notes_` names them.

    Args:
        missing: 'impute' (see above) or 'refuse': a gap is an error.
        max_categories: at least 1; None: no limit.
        sparse_threshold: in [0, 1]. The output is sparse (CSR) where less than this share of the training values is
            other than 0, as with scikit-learn's ColumnTransformer; with 0 it is always dense. Decided in fitting. None:
            0.3 where there are more than 128 outputs, else 0: narrow arrays train faster dense.

    Attributes:
        n_features_in_: columns of the table.
        feature_names_in_: their names; not there after fitting to an array.
        n_features_out_: outputs.
        sparse_output_: whether the output is sparse.
        dtype_: of the output: float32 where it holds all training values exactly, else float64.
        scaled_: (n_features_out_,), whether an output is a number, which scaling is for; the others are 0 or 1.
        sources_: (n_features_out_,), the column of each output.
        notes_: sentences on columns that deserve a look.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"age": [20, None, 40], "city": ["Paris", "Rome", "Paris"]})
        >>> preprocessor = TablePreprocessor().fit(table)
        >>> preprocessor.get_feature_names_out().tolist()
        ['age', 'age (missing)', 'city=Paris', 'city=Rome']
        >>> preprocessor.transform(pd.DataFrame({"city": ["Rome", "Oslo"], "age": [None, 50]})).tolist()
        [[30.0, 1.0, 0.0, 1.0], [50.0, 0.0, 0.0, 0.0]]
    """

    def __init__(
        self, *, missing: str = "impute", max_categories: int | None = 1000, sparse_threshold: float | None = None
    ) -> None:
        self.missing = missing
        self.max_categories = max_categories
        self.sparse_threshold = sparse_threshold

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns categories, medians and which columns to use.

        Args:
            X: a DataFrame of pandas or polars or a pyarrow table, with columns of any kind; or an array or sparse
                matrix of numbers, which `transform` then passes through.
            y: not used.

        Returns:
            This transformer.

        Raises:
            InputError: where a column holds dates, nested values or infinity, or gaps that are refused.
        """
        checks.choice("missing", self.missing, _MISSING)
        if self.max_categories is not None:
            checks.integer("max_categories", self.max_categories, low=1)
        if self.sparse_threshold is not None:
            checks.real("sparse_threshold", self.sparse_threshold, low=0, high=1)
        if not is_frame(X):
            self._fit_array(X)
            return self
        frame = as_pandas(X)
        fitter = ColumnFitter("X", self.missing == "impute", self.max_categories)
        columns = fitter.fit(frame)
        threshold = self.sparse_threshold
        if threshold is None:
            threshold = 0.0 if columns.n_outputs <= _NARROW else _THRESHOLD
        share = fitter.stored / len(frame) / columns.n_outputs
        self._set(columns, "float32" if fitter.narrow else "float64", share < threshold, fitter.notes())
        return self

    def _set(self, columns: FittedColumns, dtype: str, sparse: bool, notes: list[str]) -> None:
        self._columns: FittedColumns | None = columns
        self.n_features_in_ = len(columns.names)
        self.feature_names_in_ = np.array(columns.names, dtype=object)
        self.n_features_out_ = columns.n_outputs
        self.sparse_output_, self.dtype_, self.notes_ = sparse, dtype, notes
        self.scaled_, self.sources_ = columns.scaled, columns.sources

    def _fit_array(self, X: Any) -> None:
        array = self._checked_array(X, "X", reset=True)
        self.__dict__.pop("feature_names_in_", None)
        self._columns = None
        n = self.n_features_out_ = self.n_features_in_
        self.sparse_output_, self.dtype_, self.notes_ = sp.issparse(array), str(array.dtype), []
        self.scaled_, self.sources_ = np.ones(n, bool), np.arange(n)

    def _checked_array(self, X: Any, name: str, reset: bool) -> Any:
        """An array or a sparse matrix of numbers, with scikit-learn's own checks, whose messages its users know."""
        if hasattr(type(X), "reader"):
            raise InputError(f"{name} is read from files batch by batch, but TablePreprocessor takes tables in memory")
        return validate_data(self, X, reset=reset, accept_sparse=True)

    def transform(self, X: Any) -> Any:
        """The table as numbers.

        Args:
            X: a table with the columns of the fitted one, in any order; others are ignored. After fitting to an array,
                an array or sparse matrix of as many features.

        Returns:
            (n_rows, n_features_out_), an array or a CSR array of `dtype_`; X itself after fitting to an array.

        Raises:
            InputError: where a column is missing or holds what it cannot take, or a gap is refused.
        """
        return self.encode(X)

    def encode(self, X: Any, name: str = "X") -> NDArray[Any] | sp.csr_array:
        """As transform, whatever `set_output` says.

        Args:
            X: see transform.
            name: how messages call it.

        Returns:
            See transform.

        Raises:
            InputError: see transform.
        """
        check_is_fitted(self, "n_features_out_")
        columns = self._columns
        if columns is None:
            return self._checked_array(X, name, reset=False)
        if not is_frame(X):
            if hasattr(type(X), "reader"):
                self._checked_array(X, name, reset=False)
            raise InputError(f"{name} must be a DataFrame with the columns of the fitted one, not {type(X).__name__}")
        frame = self._chosen(as_pandas(X, name), columns, name)
        dtype = np.dtype(self.dtype_)
        each = encode.parts(columns, frame, name, dtype, self.missing == "refuse")
        return (encode.csr if self.sparse_output_ else encode.dense)(columns, each, len(frame), dtype)

    def _chosen(self, frame: Any, columns: FittedColumns, name: str) -> Any:
        """The columns that have an output, in their order."""
        place = {str(column): at for at, column in reversed(list(enumerate(frame.columns)))}
        wanted = [columns.names[column] for column in columns.used.tolist()]
        lost = [column for column in wanted if column not in place]
        if lost:
            also = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
            raise InputError(f"{name} has no column '{lost[0]}'{also}, which the fitted table had")
        return frame.iloc[:, [place[column] for column in wanted]]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the outputs: 'age', 'age (missing)', 'city=Paris', 'city (other)'.

        Args:
            input_features: after fitting to an array, names of its features; None: x0, x1, ...

        Returns:
            (n_features_out_,).

        Raises:
            InputError: where input_features are not those of the fitted table.
        """
        check_is_fitted(self, "n_features_out_")
        given = None if input_features is None else [str(name) for name in input_features]
        if self._columns is None:
            given = given or [f"x{number}" for number in range(self.n_features_in_)]
            if len(given) != self.n_features_in_:
                raise InputError(f"input_features must have {self.n_features_in_} names, not {len(given)}")
            return np.array(given, dtype=object)
        if given is not None and given != self._columns.names:
            raise InputError("input_features must be the columns of the fitted table, feature_names_in_")
        return np.array(self._columns.output_names, dtype=object)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All that was fitted, for a file.

        Returns:
            (settings, arrays): what JSON can hold, and arrays by name.

        Raises:
            InputError: after fitting to an array: there is nothing to keep.
        """
        check_is_fitted(self, "n_features_out_")
        if self._columns is None:
            raise InputError("a TablePreprocessor that was fitted to an array changes nothing and has no state")
        return self.settings(), self._columns.to_arrays()

    def settings(self) -> dict[str, Any]:
        """The part of `state` that is not in arrays.

        Returns:
            What JSON can hold.
        """
        check_is_fitted(self, "n_features_out_")
        return {
            "missing": str(self.missing),
            "max_categories": None if self.max_categories is None else int(self.max_categories),
            "sparse_threshold": None if self.sparse_threshold is None else float(self.sparse_threshold),
            "dtype": self.dtype_,
            "sparse_output": bool(self.sparse_output_),
            "notes": list(self.notes_),
        }

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """The transformer that gave a state.

        Args:
            settings: of `state`, from JSON.
            arrays: of `state`.

        Returns:
            One that transforms to the same bits.

        Raises:
            InputError: where they are damaged.
        """
        try:
            options = {key: settings[key] for key in ("missing", "max_categories", "sparse_threshold")}
            dtype = checks.choice("preprocessing.dtype", settings["dtype"], _DTYPES)
            sparse, notes = settings["sparse_output"], settings["notes"]
        except (KeyError, TypeError):
            raise InputError("preprocessing must name its missing, max_categories, dtype and so on") from None
        checks.choice("preprocessing.missing", options["missing"], _MISSING)
        if options["max_categories"] is not None:
            checks.integer("preprocessing.max_categories", options["max_categories"], low=1)
        if options["sparse_threshold"] is not None:
            checks.real("preprocessing.sparse_threshold", options["sparse_threshold"], low=0, high=1)
        if not isinstance(sparse, bool) or not isinstance(notes, list) or not all(isinstance(n, str) for n in notes):
            raise InputError("preprocessing.sparse_output must be true or false, and its notes texts")
        made = cls(**options)
        made._set(FittedColumns.from_arrays(arrays), dtype, sparse, notes)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.categorical = tags.input_tags.string = True
        return tags
