"""IndexedLayer against SciPy and float64 arithmetic."""

from __future__ import annotations

import scipy.sparse as sp

import trulysparse as ts


def test_weight_is_a_csr_array():
    net = ts.SparseMLP((30, 40, 5), epsilon=3)
    weight = net.layers[0].weight
    assert isinstance(weight, sp.csr_array)
    assert weight.shape == (40, 30)
    assert weight.nnz == net.layers[0].n_connections == 210
    assert weight.has_canonical_format
    assert net.n_connections == 210 + 135
    assert net.n_neurons == 45
