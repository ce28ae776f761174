"""A target takes the topology of the network that it follows: the very objects, its weights carried over."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants

SIZES = (30, 40, 20, 3)


def network(seed=0, sizes=SIZES, density=0.3, **settings) -> ts.SparseMLP:
    net = ts.SparseMLP(sizes, density=density, seed=seed, threads=1, **settings)
    for layer in net.layers:
        layer.bias[:] = np.random.default_rng(seed).normal(size=layer.bias.size)
    return net


def evolve(net, key=1) -> None:
    ts.SET(0.3, fresh="init").evolve(net, [layer.new_state(ts.SGD(0.1)) for layer in net.layers], key, 1)


def state(net) -> list[tuple]:
    return [(x.connectivity, x.values, x.values.tobytes(), x.bias, x.bias.tobytes()) for x in net.layers]


@pytest.mark.parametrize("settings", [{}, {"dtype": "float64"}, {"skip": True}, {"bias": False}])
@pytest.mark.parametrize("other_density", [0.3, 0.05, 1.0])
def test_weights_stay_where_connections_stay(settings, other_density):
    source, target = network(1, density=other_density, **settings), network(0, **settings)
    dense = [layer.weight.toarray() for layer in target.layers]
    biases, before = [(layer.bias, layer.bias.tobytes()) for layer in target.layers], state(source)
    new = target.take_topology(source)
    wanted_new = 0
    for layer, other, old, (bias, content) in zip(target.layers, source.layers, dense, biases, strict=True):
        assert layer.connectivity is other.connectivity
        check_invariants(layer.connectivity)
        there = other.weight.toarray() != 0
        # A skip layer's weights start at 0, so where it has connections is read from the index.
        rows = layer.connectivity.by_output
        there = np.zeros(old.shape, bool)
        there[np.repeat(np.arange(layer.n_out), np.diff(rows.ptr)), rows.index] = True
        np.testing.assert_array_equal(layer.weight.toarray(), np.where(there, old, 0))
        assert layer.bias is bias
        assert layer.bias.tobytes() == content
        assert not np.shares_memory(layer.values, other.values)
        wanted_new += layer.n_connections - np.count_nonzero(np.where(there, old, 0))
    if "skip" not in settings:
        assert new == wanted_new > 0
    assert state(source) == before


def test_a_target_follows_an_evolving_network():
    online = network()
    target = online.copy()
    rng = np.random.default_rng(0)
    for key in range(5):
        evolve(online, key)
        for layer in online.layers:
            layer.values += rng.normal(size=layer.n_connections).astype(np.float32)
        target.take_topology(online)
        assert all(
            layer.connectivity is other.connectivity for layer, other in zip(target.layers, online.layers, strict=True)
        )
        wanted = [
            np.float64(t.values) + 0.1 * (np.float64(o.values) - np.float64(t.values))
            for t, o in zip(target.layers, online.layers, strict=True)
        ]
        target.soft_update(online, 0.1)
        for layer, values in zip(target.layers, wanted, strict=True):
            np.testing.assert_allclose(layer.values, values, rtol=1e-5, atol=1e-6)
    X = rng.normal(size=(4, 30))
    target.soft_update(online, 1)
    np.testing.assert_array_equal(target.decision_function(X), online.decision_function(X))


def test_nothing_changes_where_the_topology_is_shared_already():
    online = network()
    target = online.copy()
    before = state(target)
    assert target.take_topology(online) == 0
    assert online.take_topology(online) == 0
    assert state(target) == before


def test_the_same_bits_for_any_number_of_threads():
    results = []
    for threads in (1, 3):
        source, target = (ts.SparseMLP((800, 900, 3), density=0.2, seed=seed, threads=threads) for seed in (0, 1))
        results.append((target.take_topology(source), *(layer.values.tobytes() for layer in target.layers)))
    assert results[0] == results[1]


def test_networks_that_do_not_fit_are_refused():
    target = network()
    before = state(target)
    for source, message in (
        ("net", "source must be a network, not str"),
        (network(sizes=(30, 41, 20, 3)), r"layers\[0\] must connect 30 x 40 neurons"),
        (network(dtype="float64"), r"layers\[0\] must have weights of type float32"),
        (network(skip=True), "source must be without a skip layer"),
        (network(storage="compact"), "must be stored with storage='indexed'"),
    ):
        with pytest.raises(ts.InputError, match=message):
            target.take_topology(source)
    assert state(target) == before
    compact = network(storage="compact")
    with pytest.raises(ts.InputError, match="take_topology works on networks with storage='indexed'"):
        compact.take_topology(network(1, storage="compact"))
    tied = [ts.SparseMLP((9, 4, 9), epsilon=1, tied=True, output="identity", seed=seed) for seed in (0, 1)]
    with pytest.raises(ts.InputError, match="without tied ends"):
        tied[0].take_topology(tied[1])
