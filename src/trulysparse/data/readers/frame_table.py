"""A DataFrame as a Table: features, targets, groups and times go their ways."""

from __future__ import annotations

from typing import Any

from trulysparse.data.readers.columns import Choice
from trulysparse.data.readers.request import Request
from trulysparse.data.readers.text_columns import groups_of, is_text, labels_of, order_of, typed
from trulysparse.data.table import Table
from trulysparse.errors import InputError


def table_of(request: Request, frame: Any, choice: Choice, decimal: str | None = None) -> Table:
    """The table of a DataFrame that holds the chosen columns.

    Args:
        request: what is asked for.
        frame: the columns as pandas read them.
        choice: their use.
        decimal: of columns of text that may stand for booleans, dates or numbers; ',' where a comma may be a decimal
            sign; None: columns have the types that they should.

    Returns:
        The table.

    Raises:
        InputError: where there are no rows, or a time or a group is missing.
    """
    if len(frame) == 0:
        raise InputError(f"DATA: '{request.path}' has no rows")
    X = frame[choice.features]
    notes = list(choice.notes)
    changed = {}
    for column, dtype in zip(X.columns, X.dtypes, strict=True):
        if decimal is not None and dtype.kind not in "iufbMm" and is_text(X[column]):
            changed[column], note = typed(X[column], decimal)
            notes += [] if note is None else [note]
    if changed:
        X = X.assign(**changed)
    return with_features(X, frame, choice, notes)


def with_features(X: Any, frame: Any, choice: Choice, notes: list[str]) -> Table:
    """The table whose features are X, and whose targets, groups and times are columns of the frame."""
    return Table(
        X,
        targets_of(frame, choice),
        features=choice.features,
        target=choice.target,
        groups=None if choice.group is None else groups_of(frame[choice.group]),
        order=None if choice.time is None else order_of(frame[choice.time]),
        notes=notes,
    )


def targets_of(frame: Any, choice: Choice) -> Any:
    """y: one column as an array, several as a DataFrame, or None."""
    if not choice.targets:
        return None
    if len(choice.targets) == 1:
        return labels_of(frame[choice.targets[0]])
    import pandas as pd

    return pd.DataFrame({name: labels_of(frame[name]) for name in choice.targets})
