"""Prune rules: which connections of a layer stay. Each returns one mark a connection (1: stays), in the
order of connectivity.by_input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.layers import SparseLayer


def sign_magnitude(layer: SparseLayer, zeta: float, threads: int) -> NDArray[np.uint8]:
    """SET's rule: removes the fraction zeta of the positive weights closest to zero and the fraction zeta of
    the negative weights closest to zero, both rounded down (Mocanu et al. 2018, algorithm 1). Linear time."""
    keep = np.empty(layer.n_connections, np.uint8)
    _kernels.keep_by_sign_magnitude(layer.values, zeta, keep, threads)
    return keep
