"""Small networks that the tests of the analysis share."""

from __future__ import annotations

import trulysparse as ts


def network(epsilon=0.8, sizes=(8, 10, 9, 3), seed=0, **settings):
    return ts.SparseMLP(sizes, epsilon=epsilon, seed=seed, **settings)


def patterns(net):
    return [layer.connectivity.pattern().toarray() != 0 for layer in net.layers]
