"""Fleet: every agent is bit for bit the network that it would be alone."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError

SIZES = (7, 12, 9, 3)


def same(a: ts.SparseMLP, b: ts.SparseMLP) -> bool:
    """Whether two networks have the same topology, weights and biases, bit for bit."""
    arrays = lambda net: [  # noqa: E731
        array
        for layer in net.layers
        for array in (
            layer.connectivity.by_input.ptr,
            layer.connectivity.by_input.index,
            layer.connectivity.by_output.ptr,
            layer.connectivity.by_output.index,
            layer.connectivity.position,
            layer.values,
            layer.bias,
        )
    ]
    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        {"density": 0.4},
        {"epsilon": 2.5, "fan": "sparse", "activation": "tanh"},
        {"density": [0.9, 0.3, 0.5], "init": "xavier_uniform", "fan": "sparse", "output": "identity"},
        {"density": 0.3, "init": "normal", "balance": False, "output": "sigmoid", "dtype": "float64"},
        {"density": 0.5, "output_density": 1.0, "init": "uniform", "fan": "sparse", "bias": False},
        {"density": 0.4, "connectivity": "fixed_fan_in", "activation": "gelu"},
    ],
)
def test_agents_are_the_networks_of_their_seeds(arguments: dict) -> None:
    fleet = ts.Fleet(6, SIZES, seed=5, threads=2, **arguments)
    assert len(set(fleet.seeds.tolist())) == len(fleet) == 6
    for agent, net in enumerate(fleet):
        alone = ts.SparseMLP(SIZES, seed=fleet.seed_of(agent), threads=1, **arguments)
        assert same(net, alone)
        assert net.seed == alone.seed
        assert fleet.connections_per_agent[agent] == alone.n_connections


@pytest.mark.parametrize("n", [1, 3, 16, 70, 130])
@pytest.mark.parametrize("output", ["identity", "softmax", "sigmoid"])
def test_predictions_are_those_of_each_network(n: int, output: str) -> None:
    fleet = ts.Fleet(5, SIZES, density=0.5, output=output, seed=1, threads=2)
    X = np.random.default_rng(n).standard_normal((5, n, 7))
    for agent, net in enumerate(fleet):
        assert np.array_equal(fleet.predict(X)[agent], net.predict(X[agent]))
        assert np.array_equal(fleet.decision_function(X)[agent], net.decision_function(X[agent]))
        if output != "identity":
            assert np.array_equal(fleet.predict_proba(X)[agent], net.predict_proba(X[agent]))
    if n == 1:
        assert np.array_equal(fleet.predict(X[:, 0]), fleet.predict(X)[:, 0])


@pytest.mark.parametrize("density", [0.1, 0.7])
def test_agents_are_drawn_on_several_threads(density):
    """Enough work for the pool's threads, of which each draws whole agents: the numbers of threads differ there."""
    one, many = (ts.Fleet(400, (40, 60, 3), density=density, seed=2, threads=threads) for threads in (1, 4))
    for layer, other in zip(one.layers, many.layers, strict=True):
        np.testing.assert_array_equal(layer.connectivity.by_input.index, other.connectivity.by_input.index)
        np.testing.assert_array_equal(layer.values, other.values)


def test_layers_are_named_by_any_integer() -> None:
    fleet = ts.Fleet(3, SIZES, density=0.5, seed=0)
    for name in (1, np.int64(1), -2, fleet.layers[1]):
        assert np.array_equal(fleet.blocks(name), fleet.layers[1].blocks)


@pytest.mark.filterwarnings("error")
def test_samples_beyond_the_range_of_floats_are_refused() -> None:
    fleet = ts.Fleet(3, SIZES, density=0.5, seed=0)
    with pytest.raises(InputError, match="X must hold finite numbers, but it has infinity"):
        fleet.predict(np.full((3, 7), 1e300))
