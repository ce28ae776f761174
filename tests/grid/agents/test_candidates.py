"""Candidates against fleets that are asked one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.grid.agents.candidates import Candidates


def fleet(n_agents=3, **options):
    options = {"density": 0.5, "activation": "tanh", "output": "identity", "seed": 1, "threads": 1} | options
    return ts.Fleet(n_agents, (4, 8, 6, 2), **options)


@pytest.mark.parametrize("columns", [1, 3, 16, 17, 40])
def test_each_candidate_is_computed_as_its_fleet_alone(columns):
    candidates = Candidates(fleet(), 5, columns, threads=1)
    rng = np.random.default_rng(0)
    for each in candidates.fleets:
        for layer in each.layers:
            layer.values[:] = rng.standard_normal(layer.values.shape)
    X = rng.standard_normal((5, 3, columns, 4)).astype(np.float32)
    candidates.x[..., :columns] = X.transpose(0, 1, 3, 2)
    found = candidates.forward()
    assert found.shape == (5, 3, 2, columns)
    for number, each in enumerate(candidates.fleets):
        np.testing.assert_allclose(found[number], each.predict(X[number]).transpose(0, 2, 1), rtol=2e-6, atol=1e-6)


def test_threads_change_no_bit():
    rng = np.random.default_rng(0)
    found = []
    for threads in (1, 3):
        candidates = Candidates(fleet(20), 4, 5, threads)
        rng = np.random.default_rng(0)
        candidates.x[..., :5] = rng.standard_normal((4, 20, 4, 5))
        found.append(candidates.forward().copy())
    assert (found[0] == found[1]).all()


def test_activations_in_python_are_taken_layer_by_layer():
    class Cube:
        name = "cube"

        def forward(self, z):
            return z**3

        def derivative(self, z):
            return 3 * z**2

    candidates = Candidates(fleet(activation=Cube()), 2, 3, threads=1)
    candidates.x[..., :3] = 0.5
    found = candidates.forward()
    want = candidates.fleets[1].predict(np.full((3, 3, 4), 0.5))
    np.testing.assert_allclose(found[1], want.transpose(0, 2, 1), rtol=1e-5, atol=1e-6)


def test_weights_are_its_own_and_connections_are_shared():
    original = fleet()
    before = original.layers[0].values.copy()
    candidates = Candidates(original, 2, 1, threads=1)
    candidates.fleets[0].layers[0].values[:] = 7
    assert (original.layers[0].values == before).all()
    assert (candidates.fleets[1].layers[0].values == before).all()
    assert all(each.layers[1].connectivity is original.layers[1].connectivity for each in candidates.fleets)


@pytest.mark.parametrize(("count", "columns"), [(0, 1), (2, 0), (1.5, 1)])
def test_counts_are_checked(count, columns):
    with pytest.raises(InputError, match="must be"):
        Candidates(fleet(), count, columns, threads=1)


def test_too_many_are_refused_before_they_are_made():
    with pytest.raises(NotEnoughMemoryError, match="candidates of each of 3 agents"):
        Candidates(fleet(), 10**9, 10**6, threads=1)
