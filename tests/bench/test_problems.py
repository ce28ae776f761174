"""The problems that peers are timed on."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.bench import Problem, network_of_density


def test_density():
    net = network_of_density((100, 200, 50, 10), 0.1)
    assert [layer.n_connections for layer in net.layers] == [2000, 1000, 500]


def test_problem_has_the_same_batch_each_time():
    net = ts.SparseMLP((6, 8, 3), epsilon=3)
    one, two = (Problem.make("small", net, 20) for _ in range(2))
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.y, two.y)
    assert one.X.shape == (20, 6)
    assert set(one.y) <= {0, 1, 2}
    assert one.dense_connections == 6 * 8 + 8 * 3


def test_copy_of_net_trains_on_its_own():
    problem = Problem.make("small", ts.SparseMLP((6, 8, 3), epsilon=3), 20)
    before = [layer.values.copy() for layer in problem.net.layers]
    twin = problem.copy_of_net(1)
    np.testing.assert_array_equal(twin.predict_proba(problem.X), problem.net.predict_proba(problem.X))
    ts.Trainer(twin).step(problem.X, problem.y)
    for layer, changed, values in zip(problem.net.layers, twin.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)
        assert (changed.values != values).any()
