"""Networks and reference computations that the tests of pruning share."""

from __future__ import annotations

import numpy as np

import trulysparse as ts


def network(seed, *, epsilon=0.6, sizes=(20, 40, 30, 25, 4), **settings):
    """A network so sparse that many neurons have no inputs or no outputs, with biases."""
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=seed, **settings)
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.values[:] = rng.standard_normal(layer.n_connections)
        layer.bias[:] = rng.standard_normal(layer.n_out)
    return net


def dense(net):
    return [layer.weight.toarray() for layer in net.layers]


def naive_prune(weights, biases, percentile, activation, importance):
    """The definition on dense matrices: incoming weights of unimportant neurons become 0."""
    for number, values in enumerate(importance):
        weights[number][values <= np.percentile(values, percentile)] = 0

    def function(X):
        a = X.T
        for number, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
            z = w @ a + b[:, None]
            slope = activation * (-1) ** number
            a = np.where(z > 0, z, slope * z) if number < len(weights) else z
        return a.T

    return function
