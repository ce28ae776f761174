"""How many connections there are in the course of training."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import problem
from trulysparse.evolution import budget, grow, prune


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize("k", [1.0, 6.0, 20.0])
def test_sigmoid_density_is_the_scaled_sigmoid(k):
    density = ts.SigmoidDensity(0.1, k, start=0.1, stop=0.6)
    low, high = sigmoid(-k), sigmoid(k)
    for done in range(101):
        p = min(1.0, max(0.0, (done / 100 - 0.1) / 0.5))
        fallen = (sigmoid(k * (2 * p - 1)) - low) / (high - low)
        assert density.target(10_000, done / 100) == pytest.approx(10_000 * (1 - 0.9 * fallen), abs=0.51)
    assert density.target(10_000, 0.1) == 10_000
    assert density.target(10_000, 0.6) == 1_000


def test_sigmoid_density_until_a_number_of_updates():
    density = ts.SigmoidDensity(0.5, until=50)
    assert not density.needs_total
    assert [density.target(100, done / 100, 100) for done in (0, 25, 50, 90)] == [100, 75, 50, 50]
    with pytest.raises(ts.InputError, match="total number of updates must be given where"):
        density.target(100, 0.5)


@pytest.mark.parametrize(
    "arguments", [{"final": 0.0}, {"final": 1.1}, {"final": 0.5, "k": 0}, {"final": 0.5, "stop": 0}]
)
def test_sigmoid_density_bad_argument_is_refused(arguments):
    with pytest.raises(ts.InputError, match=r"^(final|k|stop) must lie in"):
        ts.SigmoidDensity(**arguments)


METHODS = [ts.SET, ts.RigL, ts.GSE, ts.CHTs, ts.CTRE]


@pytest.mark.parametrize("method", METHODS)
def test_training_with_sigmoid_density_ends_where_each_layer_should(method):
    X, y = problem()
    net = ts.SparseMLP((20, 40, 30, 3), epsilon=8, seed=0, threads=1)
    before = [layer.n_connections for layer in net.layers]
    evolution = method(every_updates=2, until=40, density=ts.SigmoidDensity(0.25, until=30))
    ts.Trainer(net, evolution=evolution, batch_size=32, seed=0).fit(X, y, epochs=10)
    after = [layer.n_connections for layer in net.layers]
    evolving = len(before) if evolution.output_layer else len(before) - 1
    assert after[:evolving] == [round(0.25 * n) for n in before[:evolving]]
    assert after[evolving:] == before[evolving:]


def test_density_with_rules_that_remember_connections_is_refused():
    with pytest.raises(ts.InputError, match="density cannot be combined"):
        ts.Evolution(prune.SignFlip(), grow.uniform, ts.Schedule(1.0, every_updates=1), density=ts.CubicDensity(0.5))


def test_density_by_layer_with_a_budget_that_moves_connections_is_refused():
    schedule = ts.Schedule(0.3, every_updates=1)
    with pytest.raises(ts.InputError, match="budget must be as_lost"):
        ts.Evolution(
            prune.magnitude, grow.uniform, schedule, budget=budget.by_survivors, density=ts.SigmoidDensity(0.5)
        )


def test_going_on_keeps_the_initial_numbers():
    """What density falls from survives state_dict."""
    net = ts.SparseMLP((20, 40, 30, 3), epsilon=8, seed=0, threads=1)
    state = [layer.new_state(ts.SGD()) for layer in net.layers]
    method = ts.SET(every_updates=1, until=10, density=ts.SigmoidDensity(0.25, until=10))
    whole = ts.Evolver(method, net, state)
    for _ in range(5):
        whole.step_done()
    whole.evolve()
    other = ts.Evolver(method, net.copy(), [each.copy() for each in state])
    other.load_state_dict(whole.state_dict())
    for evolver in (whole, other):
        for _ in range(5):
            evolver.step_done()
        evolver.evolve()
    first, second = whole.layers, other.layers
    assert [a.n_connections for a in first.layers] == [b.n_connections for b in second.layers]
    for a, b in zip(first.layers, second.layers, strict=True):
        np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
