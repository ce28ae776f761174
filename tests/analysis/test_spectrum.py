"""Spectral norms against dense ones."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import analysis


@pytest.mark.parametrize("shape", [(30, 20), (1, 7), (2, 9), (9, 2), (3, 3)])
def test_spectral_norm_any_shape_equals_dense_norm(shape):
    net = ts.SparseMLP(shape, epsilon=1.0, seed=1)
    expected = np.linalg.norm(net.layers[0].weight.toarray().astype(float), 2)
    assert analysis.spectral_norm(net.layers[0]) == pytest.approx(expected, rel=1e-6)


def test_spectral_norm_without_connections_is_zero():
    assert analysis.spectral_norm(ts.SparseMLP.from_matrices([np.zeros((4, 3))]).layers[0]) == 0
