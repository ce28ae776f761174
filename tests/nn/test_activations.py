"""Activations against NumPy, and names that are refused."""

from __future__ import annotations

import trulysparse as ts


def test_all_relu_alternates():
    net = ts.SparseMLP((4, 5, 6, 7, 2), activation=ts.AllReLU(0.6))
    assert [layer.activation for layer in net.layers] == [(1, -0.6), (1, 0.6), (1, -0.6), (0, 0.0)]
