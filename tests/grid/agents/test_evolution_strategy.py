"""The evolution strategy against its algorithm written agent by agent, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

import trulysparse as ts
from trulysparse._core.random import generator
from trulysparse.errors import InputError
from trulysparse.grid.agents.evolution_strategy import EvolutionStrategy, shaped_ranks


def fleet(n_agents=3, seed=1, **options):
    options = {"density": 0.4, "activation": "tanh", "output": "identity", "threads": 1} | options
    return ts.Fleet(n_agents, (5, 9, 2), seed=seed, **options)


def strategy(net, **options):
    return EvolutionStrategy(net, 1, **({"candidates": 6, "optimizer": ts.SGD(0.3), "threads": 1} | options))


def parameters(layer, agent, n_agents):
    blocks = layer.blocks
    return layer.values[blocks[agent] : blocks[agent + 1]], layer.bias.reshape(n_agents, -1)[agent]


def test_ranks_are_those_of_scipy():
    rng = np.random.default_rng(0)
    costs = rng.integers(0, 4, (50, 7)).astype(float)
    costs[3, 2] = np.inf
    np.testing.assert_allclose(shaped_ranks(costs), (rankdata(costs, axis=1) - 1) / 6 - 0.5)


def test_candidates_go_both_ways_from_the_agents_weights():
    net = fleet()
    found = strategy(net, deviation=0.2).draw()
    for number, layer in enumerate(net.layers):
        for k in range(3):
            forth, back = (found.fleets[j].layers[number] for j in (k, k + 3))
            np.testing.assert_allclose(forth.values + back.values, 2 * layer.values, atol=1e-6)
            np.testing.assert_allclose(forth.bias + back.bias, 2 * layer.bias, atol=1e-6)
        spread = np.concatenate([each.layers[number].values - layer.values for each in found.fleets])
        assert 0.1 < spread.std() < 0.3


def test_a_step_is_the_papers_with_ranks_for_every_agent():
    net = fleet()
    before = [(layer.values.astype(np.float64), layer.bias.astype(np.float64)) for layer in net.layers]
    search = strategy(net, deviation=0.1, seed=5)
    search.draw()
    costs = np.random.default_rng(2).standard_normal((3, 6))
    search.update(costs)
    ranks = (rankdata(costs, axis=1) - 1) / 5 - 0.5
    for number, layer in enumerate(net.layers):
        rng = generator(5, "perturbation", 0, number)
        directions = [rng.standard_normal((3, size), dtype=np.float32) for size in (layer.values.size, layer.bias.size)]
        for agent in range(3):
            values, bias = slice(*layer.blocks[agent : agent + 2]), slice(agent * len(layer.bias) // 3, None)
            bias = slice(bias.start, bias.start + len(layer.bias) // 3)
            for now, start, part, direction in zip(
                (layer.values, layer.bias), before[number], (values, bias), directions, strict=True
            ):
                slope = sum((ranks[agent, k] - ranks[agent, k + 3]) * direction[k, part] for k in range(3)) / (6 * 0.1)
                np.testing.assert_allclose(now[part], start[part] - 0.3 * slope, rtol=1e-5, atol=1e-5)


def test_no_agent_sees_anothers_costs():
    costs = np.random.default_rng(0).standard_normal((3, 6))
    other = costs.copy()
    other[1] = -other[1]
    nets = []
    for given in (costs, other):
        net = fleet()
        search = strategy(net)
        search.draw()
        search.update(given)
        nets.append(net)
    for agent, same in ((0, True), (1, False), (2, True)):
        pairs = zip(nets[0].layers, nets[1].layers, strict=True)
        equal = [
            all((a == b).all() for a, b in zip(parameters(x, agent, 3), parameters(y, agent, 3), strict=True))
            for x, y in pairs
        ]
        assert all(equal) == same


def test_equal_costs_change_nothing():
    net = fleet()
    before = [layer.values.copy() for layer in net.layers]
    search = strategy(net, optimizer=ts.Adam(0.1))
    search.draw()
    search.update(np.full((3, 6), 4.0))
    assert all((layer.values == old).all() for layer, old in zip(net.layers, before, strict=True))


def test_costs_fall_where_the_topology_evolves_too():
    net = fleet(4, density=0.3)
    x = np.random.default_rng(0).standard_normal((4, 8, 5)).astype(np.float32)
    wanted = np.sign(x[:, :, 0])
    search = EvolutionStrategy(
        net,
        8,
        candidates=16,
        optimizer=ts.Adam(0.05),
        evolution=ts.SET(0.2, every_updates=5, until=40),
        generations=60,
        threads=1,
    )
    counts = net.connections_per_agent.tolist()
    costs = []
    for _ in range(60):
        found = search.draw()
        found.x[..., :8] = x.transpose(0, 2, 1)
        each = ((found.forward()[:, :, 0] - wanted) ** 2).mean(axis=2).T
        search.update(each)
        costs.append(each.mean())
    assert np.mean(costs[-5:]) < 0.5 * np.mean(costs[:5])
    assert (search.replaced > 0).all()
    assert net.connections_per_agent.tolist() == counts
    assert all(each.layers[0].connectivity is net.layers[0].connectivity for each in search.candidates.fleets)


def run(search, first, last):
    for number in range(first, last):
        search.draw()
        search.update(np.random.default_rng(number).standard_normal((3, 6)))


def test_it_goes_on_with_the_same_bits():
    options = {"optimizer": ts.Adam(0.1), "evolution": ts.SET(0.2, every_updates=3), "generations": 20, "seed": 4}
    whole = fleet()
    run(strategy(whole, **options), 0, 10)
    first = fleet()
    search = strategy(first, **options)
    run(search, 0, 5)
    kept, state = first.copy(), search.state_dict()
    again = strategy(kept, **options)
    again.load_state_dict(state)
    run(again, 5, 10)
    for one, other in zip(whole.layers, kept.layers, strict=True):
        assert (one.values == other.values).all()
        assert (one.bias == other.bias).all()
        assert (one.connectivity.by_input.index == other.connectivity.by_input.index).all()


def test_a_state_of_another_fleet_is_refused():
    state = strategy(fleet(), optimizer=ts.Adam()).state_dict()
    with pytest.raises(InputError, match="state must be of this strategy's fleet"):
        strategy(fleet(4), optimizer=ts.Adam()).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": 5}, "candidates must be even"),
        ({"candidates": 0}, "candidates must be at least 2"),
        ({"deviation": 0}, "deviation must lie"),
        ({"evolution": ts.RigL(0.3, every_updates=2)}, "evolution must be one that needs no gradients"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        strategy(fleet(), **options)


def test_costs_are_checked():
    net = fleet()
    search = strategy(net)
    with pytest.raises(InputError, match="draw"):
        search.update(np.zeros((3, 6)))
    search.draw()
    before = net.layers[0].values.copy()
    with pytest.raises(InputError, match=r"costs must be of shape \(3, 6\)"):
        search.update(np.zeros((6, 3)))
    wrong = np.zeros((3, 6))
    wrong[1, 4] = np.nan
    with pytest.raises(InputError, match="candidate 4 of agent 1"):
        search.update(wrong)
    assert (net.layers[0].values == before).all()
