"""What is to be predicted: classes, labels of which a sample may have several, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse.data.target_scaling import LARGEST_TARGET
from trulysparse.errors import InputError
from trulysparse.task.labels import code_labels, missing, raw_labels

KINDS = ("auto", "classification", "multilabel", "regression")
# Of whole numbers as a target: more different ones than these are hardly classes, unless they count.
_MANY_CLASSES = 30
_MANY_SINGLES = 10  # of classes with one sample each


@dataclass(frozen=True)
class Task:
    """What a network is to predict.

    Attributes:
        kind: 'classification', 'multilabel' or 'regression'.
        labels: names of the classes or, in 'multilabel', of the labels; None in 'regression'.
        targets: names of the columns that targets come from; () where the data has none.
        n_outputs: output neurons: classes, labels or values per sample.
    """

    kind: str
    labels: NDArray[Any] | None
    targets: tuple[str, ...]
    n_outputs: int

    @property
    def output(self) -> str:
        """The network's output activation."""
        return {"classification": "softmax", "multilabel": "sigmoid", "regression": "identity"}[self.kind]

    def encode(self, y: Any, name: str, label_names: Sequence[str] | None = None) -> Any:
        """Targets as the network learns them.

        Args:
            y: as the data holds it; see Table.
            name: what messages call it.
            label_names: of the columns of a sparse y, where they may be others than the task's, in another order.

        Returns:
            'classification': positions in `labels`, int32, (n,). 'multilabel': 0 and 1, (n, n_outputs), float32 or CSR.
            'regression': float64, (n, n_outputs), in the unit of y.

        Raises:
            InputError: where y does not fit the task.
        """
        if y is None:
            raise InputError(f"{name} is missing: there is nothing to learn from or compare with")
        if self.kind == "classification":
            assert self.labels is not None
            return code_labels(raw_labels(y, name), self.labels, name)
        if sp.issparse(y):
            values = y.astype(np.float32) if label_names is None else self._aligned(y, name, label_names)
        else:
            labels = "a sample has a label or not: 0 and 1, or booleans"
            values = numbers(y, name, labels) if self.kind == "multilabel" else numbers(y, name)
        if values.shape[1] != self.n_outputs:
            raise InputError(f"{name} has {values.shape[1]} targets, but the network has {self.n_outputs} outputs")
        if self.kind == "regression":
            return values
        stored = values.data if sp.issparse(values) else values
        if not np.isin(stored, (0, 1)).all():
            raise InputError(f"{name} must hold 0 and 1 alone, as the task is 'multilabel'")
        return values if sp.issparse(values) else values.astype(np.float32)

    def _aligned(self, y: Any, name: str, label_names: Sequence[str]) -> Any:
        """A sparse y with the task's labels as its columns; InputError where a sample has another label."""
        assert self.labels is not None
        place = {label: at for at, label in enumerate(self.labels.tolist())}
        coo = sp.coo_array(y)
        columns = np.array([place.get(label, -1) for label in label_names], dtype=np.int64)[coo.col]
        wrong = np.flatnonzero(columns < 0)
        if len(wrong):
            first = wrong[np.argmin(coo.row[wrong])]
            label = label_names[coo.col[first]]
            raise InputError(
                f"{name}[{coo.row[first]}] has the label {label!r}, which is not one of the training labels"
            )
        values = coo.data.astype(np.float32)
        return sp.csr_array((values, (coo.row, columns)), shape=(y.shape[0], len(place)))


def make_task(y: Any, kind: str = "auto", targets: Sequence[str] = (), labels: Sequence[str] | None = None) -> Task:
    """The task that targets make.

    Args:
        y: the targets as the data holds them; see Table.
        kind: one of KINDS. 'auto': several columns of 0 and 1 are 'multilabel'; one column of text, booleans or whole
            numbers is 'classification'; other numbers are 'regression'.
        targets: names of the columns of y.
        labels: names of the labels of a sparse y.

    Returns:
        The task.

    Raises:
        InputError: where y is none of these, or could be two of them: whole numbers of more than 30 different values,
            or of more than 10 that are there once each.

    Example:
        >>> make_task([0.5, 1.25, 3.0]).kind, make_task(["ham", "spam", "ham"]).labels.tolist()
        ('regression', ['ham', 'spam'])
    """
    checks.choice("--task", kind, KINDS)
    if y is None:
        raise InputError("y is missing: there is nothing to learn from or compare with")
    names = tuple(targets)
    several = len(np.shape(y)) == 2 and np.shape(y)[1] > 1
    if kind == "auto":
        kind = _kind_of_several(y) if several or sp.issparse(y) else _kind_of_one(y, names[0] if names else "y")
    if kind == "classification":
        if several:
            raise InputError(
                f"--task classification is for one target, but there are {np.shape(y)[1]}; train a network for each, "
                "or use multilabel for columns of 0 and 1"
            )
        classes = np.unique(raw_labels(y, "y"))
        if len(classes) < 2:
            raise InputError(f"y has one class only ({classes[0].item()!r}); classification needs at least two")
        return Task(kind, classes, names, len(classes))
    n_outputs = np.shape(y)[1] if len(np.shape(y)) == 2 else 1
    if kind == "regression":
        if sp.issparse(y):
            raise InputError("--task regression needs numbers as targets, not sets of labels")
        return Task(kind, None, names, n_outputs)
    given = labels or (names if len(names) == n_outputs else range(n_outputs))
    return Task(kind, np.array([str(label) for label in given]), names, n_outputs)


def numbers(y: Any, name: str, what: str = "a regression predicts numbers") -> NDArray[np.float64]:
    """Targets as numbers: float64, (n, n_targets), finite; otherwise InputError, which says why they must be (what)."""
    try:
        values = np.asarray(y.to_numpy(dtype=np.float64, na_value=np.nan) if hasattr(y, "iloc") else y, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers, as {what}; {_first_text(y, name)}") from None
    values = values.reshape(len(values), -1)
    wrong = np.argwhere(~(np.abs(values) <= LARGEST_TARGET))
    if len(wrong):
        sample, target = wrong[0]
        where = f"{name}[{sample}]" if values.shape[1] == 1 else f"{name}[{sample}, {target}]"
        value = values[sample, target]
        more = int(np.count_nonzero(np.isnan(values).any(axis=1))) - 1
        said = f"missing{f', and {more} more' if more else ''}; every sample needs a target"
        said = said if np.isnan(value) else f"{value}; the largest allowed is 1e300"
        raise InputError(f"{where} is {said}")
    return values


def _kind_of_several(y: Any) -> str:
    if sp.issparse(y):
        return "multilabel"
    what = "several targets are predicted together only as numbers or, of 0 and 1 or booleans, as labels"
    return "multilabel" if np.isin(numbers(y, "y", what), (0, 1)).all() else "regression"


def _kind_of_one(y: Any, target: str) -> str:
    column = np.asarray(y).ravel()
    if column.dtype.kind == "O" and len(column) and all(isinstance(value, int | float) for value in column):
        column = np.where(missing(column), np.nan, column).astype(np.float64)
    if column.dtype.kind not in "iuf":
        return "classification"
    known = column[np.isfinite(column)] if column.dtype.kind == "f" else column
    if known.dtype.kind == "f" and (known != np.floor(known)).any():
        return "regression"
    values, counts = np.unique(known, return_counts=True)
    if len(values) <= _MANY_CLASSES and not len(values) == len(known) > _MANY_SINGLES:
        return "classification"
    counts_up = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
    if counts_up and np.median(counts) >= 10:
        return "classification"
    raise InputError(
        f"target '{target}' holds {len(values)} different whole numbers: give --task regression to predict the number, "
        "or --task classification to take each as a class"
    )


def _first_text(y: Any, name: str) -> str:
    values = np.asarray(y, dtype=object)
    for at, value in np.ndenumerate(values):
        if isinstance(value, str | bytes):
            column = f"'{y.columns[at[1]]}'" if hasattr(y, "columns") else "".join(map(str, at[1:]))
            return f"{name}[{at[0]}{', ' if column else ''}{column}] is {value!r}"
    return "some are not"
