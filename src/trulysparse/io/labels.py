"""Names of classes as JSON in a file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.errors import InputError

_MOST_LABEL_BYTES = 1 << 30


def label_settings(labels: Any, count: int) -> dict[str, Any]:
    """Labels as JSON holds them: bytes as Latin-1, times and time spans as integers.

    Args:
        labels: names of the classes.
        count: how many there must be.

    Raises:
        InputError: where they would not be read back the same.
    """
    array = np.asarray(labels)
    values: Any = array
    if array.dtype.kind in "Mm":
        values = array.view(np.int64)
    elif array.dtype.kind == "S":
        values = np.char.decode(array, "latin-1")
    settings = {"dtype": array.dtype.str, "values": values.tolist()}
    try:
        back = labels_of(json.loads(json.dumps(settings)), count)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError):
        back = None
    if back is None or back.dtype != array.dtype or [*map(type, back.tolist())] != [*map(type, array.tolist())]:
        raise InputError(f"labels of type {array.dtype} cannot be kept in a file; use texts or numbers")
    return settings


def labels_of(settings: Any, count: int) -> NDArray[Any]:
    """The labels that `label_settings` gave, or InputError: one for each of `count` outputs, none twice."""
    if (
        not isinstance(settings, dict)
        or not isinstance(settings.get("dtype"), str)
        or not isinstance(settings.get("values"), list)
    ):
        raise InputError("labels must be a type and a list of values")
    kind, values = np.dtype(settings["dtype"]), settings["values"]
    if kind.kind not in "biufUSMmO":
        raise InputError(f"labels of type {kind} cannot be kept in a file; use texts or numbers")
    if any(isinstance(value, (list, dict)) for value in values):
        raise InputError("labels must be one-dimensional")
    if len(values) != count:
        raise InputError(f"{len(values)} labels for {count} output neurons")
    if kind.itemsize * count > _MOST_LABEL_BYTES:
        raise InputError(f"{count} labels of type {kind} are more than {_MOST_LABEL_BYTES >> 20} MiB")
    labels = np.array([v.encode("latin-1") for v in values] if kind.kind == "S" else values, dtype=kind)
    plain = labels.view(np.int64) if kind.kind in "Mm" else labels
    back = [v.decode("latin-1") for v in plain.tolist()] if kind.kind == "S" else plain.tolist()
    if back != values:
        raise InputError(f"labels do not fit their type {kind}")
    if len(set(values)) != len(values):
        twice = next(value for number, value in enumerate(values) if value in values[:number])
        raise InputError(f"label {twice!r} is there more than once")
    return labels
