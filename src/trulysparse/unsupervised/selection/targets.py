"""Targets as users have them in the form of SelectionData."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from trulysparse._core import checks
from trulysparse.errors import InputError


def encoded_targets(y: Any, task: str = "auto") -> NDArray[Any]:
    """Labels as numbers from 0 on, values as floating-point numbers, several labels per sample as bool.

    Args:
        y: (n_samples,) or (n_samples, n_outputs), checked by scikit-learn; several labels may be a sparse matrix.
        task: 'classification', 'regression' or 'auto', by what y holds: fractions are values.

    Returns:
        int64 (n_samples,), float64 (n_samples,) or (n_samples, n_outputs), or bool (n_samples, n_labels).

    Raises:
        InputError: where y cannot be what `task` says, or all labels are the same.

    Example:
        >>> encoded_targets(np.array(["cat", "dog", "cat"])).tolist()
        [0, 1, 0]
        >>> encoded_targets(np.array([1, 2, 4]), "regression").tolist()
        [1.0, 2.0, 4.0]
    """
    if sp.issparse(y):
        y = y.toarray()
    kind = type_of_target(y, input_name="y")
    fractions = kind.startswith("continuous")
    if task == "regression" or (task == "auto" and fractions):
        try:
            return np.asarray(y, np.float64)
        except (TypeError, ValueError):
            raise InputError(f"y must hold numbers for a regression, not {np.asarray(y).dtype}") from None
    if kind == "multilabel-indicator":
        return np.asarray(y).astype(np.bool_)
    if kind not in ("binary", "multiclass"):
        raise InputError(f"y must hold one label per sample, or 0 and 1 for several; Unknown label type: {kind}")
    classes, labels = np.unique(np.asarray(y).ravel(), return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"y has one class only, {checks.plain(classes[0])!r:.40}: no feature can tell it from others")
    return np.asarray(labels, np.int64)
