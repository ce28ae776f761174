"""Samples that Bernoulli visible units, and outputs that are probabilities, can take: values in [0, 1]."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from trulysparse.data.matrix import Matrix, check_chunk, chunks
from trulysparse.errors import InputError

ROUNDING = 1e-6
"""How far beyond 0 and 1 values may lie: scalers round."""


BERNOULLI = (
    "Bernoulli visible units take values from 0 to 1: scale X to that range, as MinMaxScaler does, or give "
    "visible='gaussian'"
)


def problem_of(X: Matrix, reason: str = BERNOULLI) -> str | None:
    """What is out of range among the samples, chunk by chunk.

    Args:
        X: the samples; of sparse ones only stored values are looked at, entries of one place added up.
        reason: why it cannot be used, and what to do.

    Returns:
        A sentence about the first value that does not lie in [0, 1], give or take ROUNDING; None: there is none.

    Raises:
        InputError: at NaN and infinity; the message names the position.

    Example:
        >>> from trulysparse.data import as_matrix
        >>> problem_of(as_matrix([[0.5, 1.0], [0.0, 1.0]])) is None
        True
    """
    for start, stored in chunks(X):
        check_chunk(X, start, stored)
        chunk = stored
        if sp.issparse(stored) and not stored.has_canonical_format:
            chunk = stored.copy()
            chunk.sum_duplicates()
        values = chunk.data if sp.issparse(chunk) else chunk
        if not values.size or (values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING):
            continue
        if sp.issparse(chunk):
            coo = chunk.tocoo()
            wrong = np.flatnonzero((coo.data < -ROUNDING) | (coo.data > 1 + ROUNDING))
            at = wrong[np.lexsort((coo.col[wrong], coo.row[wrong]))[0]]
            sample, feature, value = int(coo.row[at]), int(coo.col[at]), coo.data[at]
        else:
            sample, feature = (int(i) for i in np.argwhere((chunk < -ROUNDING) | (chunk > 1 + ROUNDING))[0])
            value = chunk[sample, feature]
        name, row = X.origin(start + sample)
        return f"{name}[{row}, {X.feature_name(feature)}] is {value!s}; {reason}"
    return None


def check_shares(X: Matrix, reason: str = BERNOULLI) -> None:
    """Checks that all values lie in [0, 1]; see problem_of.

    Args:
        X: the samples.
        reason: see problem_of.

    Raises:
        InputError: at the first value that does not; the message names its position.

    Example:
        >>> from trulysparse.data import as_matrix
        >>> check_shares(as_matrix([[0.5, 1.0], [0.0, 2.0]]))
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: X[1, 1] is 2.0; Bernoulli visible units take values from 0 to 1: scale X to that
        range, as MinMaxScaler does, or give visible='gaussian'
    """
    problem = problem_of(X, reason)
    if problem is not None:
        raise InputError(problem)
