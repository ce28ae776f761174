"""Spectral norms."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import svds

from trulysparse.nn.layers.indexed import IndexedLayer


def spectral_norm(layer: IndexedLayer) -> float:
    """The largest singular value of a layer's weights, by Lanczos iteration: a few products with the sparse matrix.

    Args:
        layer: a layer of a network with storage='indexed'.

    Returns:
        The norm, at least 0.

    Example:
        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP.from_matrices([np.diag([3.0, -5.0, 1.0])])
        >>> round(analysis.spectral_norm(net.layers[0]), 4)
        5.0
    """
    weight = layer.weight.astype(np.float64)
    if weight.nnz == 0:
        return 0.0
    if min(weight.shape) <= 2:  # too few for the iteration
        small = weight if weight.shape[0] <= weight.shape[1] else weight.T.tocsr()
        return float(np.sqrt(np.linalg.eigvalsh((small @ small.T).toarray())[-1]))
    start = np.random.default_rng(0).standard_normal(min(weight.shape))
    return float(svds(weight, k=1, v0=start, return_singular_vectors=False)[0])
