"""IndexedLayer against SciPy and float64 arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.nn.activations_buffer import Activations


def test_weight_is_a_csr_array():
    net = ts.SparseMLP((30, 40, 5), epsilon=3)
    weight = net.layers[0].weight
    assert isinstance(weight, sp.csr_array)
    assert weight.shape == (40, 30)
    assert weight.nnz == net.layers[0].n_connections == 210
    assert weight.has_canonical_format
    assert net.n_connections == 210 + 135
    assert net.n_neurons == 45


def test_forward_and_gradients_match_dense_arithmetic(rng):
    matrix = sp.random_array((20, 12), density=0.3, rng=rng)
    layer = ts.SparseMLP.from_matrices([matrix], [rng.normal(size=20)], dtype="float64").layers[0]
    dense, batch = matrix.toarray(), 8
    x, y = Activations(rng.normal(size=(12, batch))), Activations(np.empty((20, batch)))
    layer.forward(x, y, 0, 2)
    np.testing.assert_allclose(y.values, dense @ x.values + layer.bias[:, None], rtol=1e-12)
    dy, dx = rng.normal(size=(20, batch)), np.empty((12, batch))
    weight, bias = layer.gradients(dy, x, dx, 2)
    np.testing.assert_allclose(layer.to_csr(layer.in_order(weight)).toarray(), (dy @ x.values.T) * (dense != 0))
    np.testing.assert_allclose(bias, dy.sum(axis=1))
    np.testing.assert_allclose(dx, dense.T @ dy)


def test_state_of_another_type_than_the_weights_is_refused():
    layer = ts.SparseMLP((30, 40, 5), epsilon=3).layers[0]
    with pytest.raises(ts.InputError, match="needs storage='compact'"):
        layer.new_state(ts.SGD(state="bfloat16"))
