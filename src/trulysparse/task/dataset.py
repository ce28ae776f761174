"""The samples of a task: which are trained on and which held out, with columns and targets as a network takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse.data.matrix import as_matrix, check_finite
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.table import Table
from trulysparse.errors import InputError
from trulysparse.preprocessing import TablePreprocessor, is_frame
from trulysparse.task.options import TaskOptions
from trulysparse.task.splits import Rows, folds, split
from trulysparse.task.task import Task, make_task


@dataclass
class Samples:
    """Samples as a network takes them, and their targets as Task.encode gives them; rows: their numbers in the table,
    None where they come from a file of their own."""

    X: Any
    y: Any
    rows: Rows | None = None

    def __len__(self) -> int:
        return int(self.y.shape[0])


@dataclass
class Dataset:
    """What a network is trained on and scored with.

    Attributes:
        task: what is to be predicted.
        train: the training samples.
        test: samples that training does not see, or None.
        validation: samples held out of the training samples to be scored after each epoch, or None.
        preprocessor: what made numbers of the columns, fitted on the training samples; None where they were numbers.
        feature_names: of the network's inputs, or None.
        notes: what there is to say about columns and targets.
    """

    task: Task
    train: Samples
    test: Samples | None = None
    validation: Samples | None = None
    preprocessor: TablePreprocessor | None = None
    feature_names: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def n_features(self) -> int:
        """Inputs of the network."""
        return as_matrix(self.train.X).n_features


def make_dataset(table: Table, options: TaskOptions, *, test: Table | None = None) -> Dataset:
    """Holds samples of a table out and makes columns and targets what a network takes.

    Args:
        table: the samples; see data.files.read.
        options: how.
        test: the test samples, where they are in a file of their own.

    Returns:
        The data set.

    Raises:
        InputError: for samples or targets that cannot be trained on, and labels that the training samples lack.

    Example:
        >>> from trulysparse.data.files import read
        >>> data = make_dataset(read("breast_cancer"), TaskOptions())
        >>> data.train.X.shape, data.test.X.shape, data.task.labels.tolist()
        ((455, 30), (114, 30), ['benign', 'malignant'])
    """
    whole = _Whole(table, options)
    held: tuple[Any, Any] | None = (table.X_test, table.y_test) if table.X_test is not None else None
    if test is not None:
        held = test.X, test.y
    rows = np.arange(len(whole))
    if held is not None:
        y_test = whole.task.encode(held[1], "y_test", None if test is None else test.label_names)
        _check_lengths(held[0], y_test, "X_test", "y_test")
        return whole.dataset(rows, Samples(_without(held[0], options), y_test))
    train, out = whole.split(rows, options.test_size, "--test-size", "split")
    return whole.dataset(train, out)


def make_fold(table: Table, options: TaskOptions, number: int, n_folds: int) -> Dataset:
    """One data set of a cross-validation: with all of them, every sample is held out once (with times: those after the
    first fold).

    Args:
        table: the samples.
        options: how columns and targets are taken; test_size has no effect.
        number: of the fold, from 0.
        n_folds: at least 2.

    Returns:
        The data set, its columns fitted to its own training samples.

    Raises:
        InputError: as of make_dataset, and where there are too few samples.
    """
    whole = _Whole(table, options)
    divided = folds(len(whole), n_folds, seed=options.seed, codes=whole.codes, groups=table.groups, order=table.order)
    return whole.dataset(*divided[number])


def make_whole(table: Table, options: TaskOptions) -> Dataset:
    """All samples of a table as training samples, with no test set."""
    whole = _Whole(table, options)
    return whole.dataset(np.arange(len(whole)), None)


class _Whole:
    """A table whose targets are known."""

    def __init__(self, table: Table, options: TaskOptions) -> None:
        self._table, self._options = table, options
        targets = list(table.y.columns) if hasattr(table.y, "columns") else [table.target] if table.target else []
        self._X = _without(table.X, options)
        self.task = make_task(table.y, options.task, targets, table.label_names)
        _check_lengths(table.X, table.y, "X", "y")
        self._y = self.task.encode(table.y, "y")
        _check_features(self._X, options)  # here, so that messages name rows of the whole table

    def __len__(self) -> int:
        return int(self._y.shape[0])

    @property
    def codes(self) -> NDArray[np.int32] | None:
        """Classes, by which splits keep their shares."""
        return self._y if self.task.kind == "classification" else None

    def split(self, rows: Rows, fraction: float, name: str, purpose: str) -> tuple[Rows, Rows]:
        """(those of `rows` that are kept, those that are held out)."""
        table, codes = self._table, self.codes
        some = [None if of is None else np.asarray(of)[rows] for of in (codes, table.groups, table.order)]
        kept, out = split(
            len(rows),
            fraction=fraction,
            seed=self._options.seed,
            codes=some[0],
            groups=some[1],
            order=some[2],
            name=name,
            purpose=purpose,
        )
        return rows[kept], rows[out]

    def dataset(self, train: Rows, test: Rows | Samples | None) -> Dataset:
        """The data set whose training samples are the rows `train`, less those for validation."""
        options, task = self._options, self.task
        validation = None
        if options.validation_fraction is not None:
            train, validation = self.split(train, options.validation_fraction, "--validation-fraction", "validation")
        if task.labels is not None and task.kind == "classification":
            missing = np.setdiff1d(np.arange(len(task.labels)), self._y[train])
            if len(missing):
                raise InputError(
                    f"label {task.labels[missing[0]].item()!r} has no sample left for training; lower --test-size or "
                    "add samples"
                )
        parts = [self._part(train), self._part(validation), test if isinstance(test, Samples) else self._part(test)]
        preprocessor = options.preprocessor() if is_frame(self._X) else None
        notes = []
        if preprocessor is not None:
            assert parts[0] is not None
            preprocessor.fit(parts[0].X)
            notes = list(preprocessor.notes_)
        for part, name in zip(parts, ("X", "validation X", "X_test"), strict=True):
            if part is not None and preprocessor is not None:
                part.X = preprocessor.encode(part.X, name)
            elif part is not None and part.rows is None:
                _check_samples(part.X, name)
        assert parts[0] is not None
        if parts[2] is not None:
            _check_widths(parts[0].X, parts[2].X)
        names = self._table.features if preprocessor is None else list(preprocessor.get_feature_names_out())
        return Dataset(task, parts[0], parts[2], parts[1], preprocessor, names, notes)

    def _part(self, rows: Rows | None) -> Samples | None:
        if rows is None:
            return None
        X = self._X if len(rows) == len(self) else take(self._X, rows)
        return Samples(X, self._y if len(rows) == len(self) else self._y[rows], rows)


def held_out_rows(table: Table, options: TaskOptions) -> Rows:
    """The samples that make_dataset holds out of a table without a test set, ascending."""
    whole = _Whole(table, options)
    return whole.split(np.arange(len(whole)), options.test_size, "--test-size", "split")[1]


def features_of(table: Table, options: TaskOptions) -> Any:
    """The features of a table, without the columns that are to be left out; InputError where they cannot be used."""
    X = _without(table.X, options)
    _check_features(X, options)
    return X


def take(X: Any, rows: NDArray[np.int64]) -> Any:
    """The samples `rows` of X."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def join(first: Any, second: Any) -> Any:
    """The samples of two sets, one after the other; None where one of them is None."""
    if first is None or second is None:
        return None
    _check_widths(first, second)
    if isinstance(first, StreamMatrix) and isinstance(second, StreamMatrix):
        return first.followed_by(second)
    if sp.issparse(first) or sp.issparse(second):
        return sp.vstack([sp.csr_array(first), sp.csr_array(second)], format="csr")
    return np.concatenate([first, second])


def _without(X: Any, options: TaskOptions) -> Any:
    """X without the columns that are to be left out."""
    ignored = options.ignored(getattr(X, "columns", ()))
    if not ignored:
        return X
    if not hasattr(X, "iloc"):
        raise InputError("--ignore: the data has no named columns to leave out")
    for column in ignored:
        if column not in X.columns:
            shown = ", ".join(map(str, X.columns[:10])) + (", ..." if len(X.columns) > 10 else "")
            raise InputError(f"--ignore: there is no feature column '{column}'; the columns are {shown}")
    if len(ignored) == len(X.columns):
        raise InputError("--ignore leaves no feature column")
    return X.drop(columns=ignored)


def _n_samples(X: Any) -> int:
    return len(X) if hasattr(X, "iloc") else as_matrix(X).n_samples


def _check_lengths(X: Any, y: Any, x_name: str, y_name: str) -> None:
    n_samples, n_targets = _n_samples(X), np.shape(y)[0]
    if n_samples != n_targets:
        raise InputError(f"{x_name} has {n_samples} samples, but {y_name} has {n_targets}; the numbers must be equal")


def _check_samples(X: Any, name: str) -> None:
    matrix = as_matrix(X, name)
    if not matrix.streamed:
        check_finite(matrix)


def _check_features(X: Any, options: TaskOptions) -> None:
    if is_frame(X):
        _check_columns(X, refuse_gaps=options.missing == "refuse")
    else:
        _check_samples(X, "X")


def _check_columns(X: Any, *, refuse_gaps: bool) -> None:
    """InputError at the first infinite number and, where they are refused, at the first gap."""
    for name in X.columns:
        column = X[name]
        if refuse_gaps and (gaps := column.isna().to_numpy()).any():
            raise InputError(f"X[{int(gaps.argmax())}, '{name}'] is missing, which --missing refuse does not allow")
        if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
            infinite = np.isinf(column.to_numpy())
            if infinite.any():
                row = int(infinite.argmax())
                raise InputError(f"X[{row}, '{name}'] is {column.iloc[row]}; features must be finite numbers")


def _check_widths(first: Any, second: Any) -> None:
    widths = as_matrix(first).n_features, as_matrix(second).n_features
    if widths[0] != widths[1]:
        raise InputError(f"X_train has {widths[0]} features, but X_test has {widths[1]}")
