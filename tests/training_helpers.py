"""What several tests of a training run share: a small network, its samples, and whether two networks are the same."""

from __future__ import annotations

import numpy as np

import trulysparse as ts


def network(folder=None, seed=1, activation="all_relu"):
    sizes = (8, 20, 16, 3)
    if folder is None:
        return ts.SparseMLP(sizes, epsilon=3, seed=seed, activation=activation)
    return ts.SparseMLP(sizes, epsilon=3, seed=seed, activation=activation, storage="compact", folder=folder)


def samples(n=70):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 8)), rng.integers(0, 3, n)


def same(a, b):
    for x, y in zip(a.layers, b.layers, strict=True):
        np.testing.assert_array_equal(x.weight.toarray(), y.weight.toarray())
        np.testing.assert_array_equal(x.bias, y.bias)


def sparse_samples(rng, n=70, n_features=6):
    return np.where(rng.random((n, n_features)) < 0.4, rng.random((n, n_features)), 0.0)
