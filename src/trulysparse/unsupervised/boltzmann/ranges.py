"""Samples that Bernoulli visible units can take: values in [0, 1]."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from trulysparse.data.matrix import Matrix, check_chunk, chunks
from trulysparse.errors import InputError


def check_shares(X: Matrix) -> None:
    """Checks that all values lie in [0, 1], chunk by chunk.

    Args:
        X: the samples; of sparse ones only stored values are looked at.

    Raises:
        InputError: at the first value that does not, NaN and infinity too; the message names its position.

    Example:
        >>> from trulysparse.data import as_matrix
        >>> check_shares(as_matrix([[0.5, 1.0], [0.0, 2.0]]))
        Traceback (most recent call last):
        ...
        trulysparse.errors.InputError: X[1, 1] is 2.0; Bernoulli visible units take values from 0 to 1: scale X to that
        range, as MinMaxScaler does, or give visible='gaussian'
    """
    for start, chunk in chunks(X):
        check_chunk(X, start, chunk)
        values = chunk.data if sp.issparse(chunk) else chunk
        if not values.size or (values.min() >= 0 and values.max() <= 1):
            continue
        if sp.issparse(chunk):
            coo = chunk.tocoo()
            wrong = np.flatnonzero((coo.data < 0) | (coo.data > 1))
            at = wrong[np.lexsort((coo.col[wrong], coo.row[wrong]))[0]]
            sample, feature, value = int(coo.row[at]), int(coo.col[at]), coo.data[at]
        else:
            sample, feature = (int(i) for i in np.argwhere((chunk < 0) | (chunk > 1))[0])
            value = chunk[sample, feature]
        name, row = X.origin(start + sample)
        raise InputError(
            f"{name}[{row}, {X.feature_name(feature)}] is {value!s}; Bernoulli visible units take values from 0 to 1: "
            "scale X to that range, as MinMaxScaler does, or give visible='gaussian'"
        )
