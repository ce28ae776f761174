"""Fleet: every agent is bit for bit the network that it would be alone."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.errors import InputError, NotEnoughMemoryError

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


def test_agents_are_taken_out_and_put_in() -> None:
    fleet = ts.Fleet(6, SIZES, density=0.4, seed=5, threads=2)
    fleet[1] = ts.SparseMLP(SIZES, density=0.9, seed=8)
    nets = list(fleet)
    assert same(fleet[-5], nets[1])
    for agents in (slice(1, 5, 2), [4, -5, 4], np.array([False, True, False, True, True, False])):
        part = fleet[agents]
        numbers = np.arange(6)[agents]
        assert isinstance(part, ts.Fleet)
        assert part.seeds.tolist() == fleet.seeds[numbers].tolist()
        assert all(same(net, nets[i]) for net, i in zip(part, numbers, strict=True))
    part.layers[0].values[:] = 0
    assert same(fleet[1], nets[1])
    copies = fleet.repeat(3)
    assert all(same(net, nets[i // 3]) for i, net in enumerate(copies))
    other = ts.Fleet.from_networks([nets[2], nets[1]], threads=1)
    assert same(other[1], nets[1])
    assert other.seed_of(0) == nets[2].seed
    fleet[-1] = nets[1]
    assert all(same(net, nets[1 if i == 5 else i]) for i, net in enumerate(fleet))
    assert fleet.seed_of(5) == nets[1].seed == 8


def test_topologies_and_soft_updates_are_those_of_each_network() -> None:
    online, target = (ts.Fleet(5, SIZES, density=0.4, output="identity", seed=seed, threads=2) for seed in (0, 1))
    nets, targets = list(online), list(target)
    new = target.take_topology(online)
    assert new == sum(net.take_topology(other) for net, other in zip(targets, nets, strict=True)) > 0
    ts.soft_update_all([target], [online], 0.25)
    for net, other in zip(targets, nets, strict=True):
        net.soft_update(other, 0.25)
    assert all(same(a, b) for a, b in zip(target, targets, strict=True))
    assert target.soft_updates == 1
    twin = online.copy()
    twin.soft_update(online, 1)
    assert twin.layers[0].connectivity is online.layers[0].connectivity
    other = ts.Fleet(5, SIZES, density=0.4, output="identity", seed=7)
    with pytest.raises(InputError, match="call take_topology"):
        twin.soft_update(other, 0.5)
    with pytest.raises(InputError, match="source must have 5 agents"):
        twin.take_topology(other[:3])
    with pytest.raises(InputError, match="source must be a Fleet"):
        twin.take_topology(other[0])


@pytest.mark.parametrize("isa", _kernels.available_isas())
def test_predictions_and_updates_for_each_instruction_set(isa: str) -> None:
    before = _kernels.current_isa()
    _kernels.use_isa(isa)
    try:
        for columns in (1, 64, 128):
            fleet = ts.Fleet(3, (20, 40, 30, 2), density=0.3, output="identity", seed=2, threads=1)
            X = np.random.default_rng(0).standard_normal((3, columns, 20)).astype(np.float32)
            y = np.zeros((3, columns, 2), np.float32)
            trainers = [ts.Trainer(net, optimizer=ts.Adam(0.01), threads=1) for net in fleet]
            losses = ts.FleetTrainer(fleet, optimizer=ts.Adam(0.01)).step(X, y)
            assert losses.tolist() == [each.step(*pair) for each, *pair in zip(trainers, X, y, strict=True)]
            assert all(same(a, each.net) for a, each in zip(fleet, trainers, strict=True))
            for agent, net in enumerate(fleet):
                assert np.array_equal(fleet.predict(X)[agent], net.predict(X[agent]))
    finally:
        _kernels.use_isa(before)


def test_large_agents_take_the_other_loops() -> None:
    sizes = (40, 300, 50, 2)  # more connections than are summed together, and a layer beyond 16 bits
    for options in ({"density": 0.5}, {"density": [1.0, 0.2, 0.5]}):
        fleet = ts.Fleet(2, sizes, output="identity", seed=2, threads=1, **options)
        X, y = np.random.default_rng(0).standard_normal((2, 64, 40)), np.zeros((2, 64, 2))
        trainers = [ts.Trainer(net, optimizer=ts.Adam(0.01), threads=1) for net in fleet]
        ts.FleetTrainer(fleet, optimizer=ts.Adam(0.01)).step(X, y)
        for each, *pair in zip(trainers, X, y, strict=True):
            each.step(*pair)
        assert all(same(a, each.net) for a, each in zip(fleet, trainers, strict=True))
    wide = ts.Fleet(2, (70_000, 3), epsilon=0.01, output="identity", seed=0, threads=1)
    X = np.random.default_rng(0).standard_normal((2, 64, 70_000)).astype(np.float32)
    assert np.array_equal(wide.predict(X)[1], wide[1].predict(X[1]))


def test_rows_of_a_table_are_loaded_for_each_agent() -> None:
    random = np.random.default_rng(0)
    table, rows = random.standard_normal((50, 7)).astype(np.float32), random.integers(0, 50, (4, 10))
    offset, factor = random.standard_normal((4, 7)), random.uniform(0.5, 2, (4, 7))
    out = np.full((4, 7, 16), np.nan, np.float32)
    assert _kernels.load_fleet(table, rows, offset, factor, out, 2) == -1
    expected = (table[rows] - offset[:, None].astype(np.float32)) * factor[:, None].astype(np.float32)
    np.testing.assert_allclose(out[:, :, :10], expected.transpose(0, 2, 1), rtol=1e-6)
    assert not out[:, :, 10:].any()
    assert _kernels.load_fleet(table, rows, None, None, out, 1) == -1
    assert np.array_equal(out[:, :, :10], table[rows].transpose(0, 2, 1))
    table[rows[2, 3]] = np.inf
    assert _kernels.load_fleet(table, rows, None, None, out, 1) in (0, 1, 2)
    with pytest.raises(ValueError, match="row number is out of range"):
        _kernels.load_fleet(table, rows + 50, None, None, out, 1)


def test_bad_input() -> None:
    fleet = ts.Fleet(3, (4, 8, 2), density=0.5, seed=0, threads=1)
    net = fleet[0]
    for wrong in (3, -4):
        with pytest.raises(IndexError, match=f"no agent {wrong} in a fleet of 3"):
            fleet[wrong]
    with pytest.raises(IndexError, match="no agent 5"):
        fleet[[0, 5]]
    for nothing in ([], slice(3, None), np.zeros(3, bool)):
        with pytest.raises(InputError, match="at least one agent"):
            fleet[nothing]
    with pytest.raises(InputError, match="an agent must be an integer"):
        fleet["first"]
    with pytest.raises(InputError, match="n_agents must be between 1"):
        ts.Fleet(0, (4, 8, 2))
    with pytest.raises(InputError, match="n_agents must be an integer"):
        ts.Fleet(2.0, (4, 8, 2))
    with pytest.raises(InputError, match="at most 2147483647"):
        ts.Fleet(2**30, (4, 8, 2))
    with pytest.raises(InputError, match="net must be a SparseMLP"):
        fleet[0] = 3
    with pytest.raises(InputError, match=r"net must have the layer sizes of this fleet, \(4, 8, 2\)"):
        fleet[0] = ts.SparseMLP((4, 9, 2), epsilon=1)
    with pytest.raises(InputError, match=r"networks\[1\] must have the activation"):
        ts.Fleet.from_networks([net, ts.SparseMLP((4, 8, 2), epsilon=1, activation="relu")])
    with pytest.raises(InputError, match=r"networks\[0\] must have storage='indexed'"):
        ts.Fleet.from_networks([ts.SparseMLP((4, 8, 2), epsilon=1, storage="compact")])
    net.labels = np.array(["a", "b"])
    with pytest.raises(InputError, match="must have no labels"):
        ts.Fleet.from_networks([net])
    with pytest.raises(InputError, match="at least one entry"):
        ts.Fleet.from_networks([])
    for X, words in (
        (np.zeros((2, 4)), r"X must have the shape \(3, n, 4\) or \(3, 4\), not \(2, 4\)"),
        (np.zeros((3, 0, 4)), "at least one sample"),
        (np.full((3, 4), np.inf), "finite numbers, but it has infinity"),
        (np.full((3, 4), "a"), "X must hold numbers"),
    ):
        with pytest.raises(InputError, match=words):
            fleet.predict(X)


def test_memory_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trulysparse._core.memory.free_bytes", lambda: 200 << 20)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"a fleet of 100000 networks .* needs about .* MiB"):
        ts.Fleet(100_000, (24, 32, 32, 2), density=0.33)


def test_copies_and_pickles() -> None:
    fleet = ts.Fleet(3, (4, 8, 2), density=0.5, seed=0, threads=1)
    X = np.random.default_rng(0).standard_normal((3, 4))
    expected = fleet.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(fleet)), copy.deepcopy(fleet), fleet.copy()):
        assert np.array_equal(twin.predict_proba(X), expected)
        twin.layers[0].values[:] = 0
    assert np.array_equal(fleet.predict_proba(X), expected)


def test_copies_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = ts.Fleet(3, SIZES, density=0.5, seed=0)
    with pytest.raises(InputError, match="times must be between 1 and 715827882, not 10000000000"):
        fleet.repeat(10**10)
    monkeypatch.setattr("trulysparse._core.memory.free_bytes", lambda: 2**28)
    with pytest.raises(NotEnoughMemoryError, match="a fleet of 300000 networks of layers 7-12-9-3 needs about"):
        fleet.repeat(100_000)


def test_agents_whose_connections_lead_elsewhere_are_not_taken_out() -> None:
    fleet = ts.Fleet(3, SIZES, density=0.5, seed=0)
    joined = ts.SparseMLP((21, 36, 27, 9), density=0.2, seed=0)
    fleet.layers[0].connectivity, fleet.layers[0].values = joined.layers[0].connectivity, joined.layers[0].values
    for agents in (1, [0, 2]):
        with pytest.raises(InputError, match="a layer has connections from one agent to another"):
            fleet[agents]
