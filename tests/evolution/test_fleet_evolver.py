"""Evolution of fleets: each agent as an Evolver of its own evolves it, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.fleets import METHODS, SIZES, assert_agents_are, evolve_both, networks, side_by_side
from evolution.training import assert_same
from trulysparse.evolution import Evolver, grow, prune


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", METHODS)
def test_agents_evolve_as_networks_of_their_own(name, threads):
    method, nets = METHODS[name], networks()
    states, fleet, joined = side_by_side(nets)
    evolvers = [Evolver(method, net, state, seed=net.seed, threads=1) for net, state in zip(nets, states, strict=True)]
    together = ts.FleetEvolver(method, fleet, joined, threads=threads)
    total, rng = np.zeros(len(nets), np.int64), np.random.default_rng(1)
    for update in range(9):
        assert together.due() == evolvers[0].due() == (update > 0 and update % 2 == 0)
        if together.due():
            total += evolve_both(evolvers, nets, together, update)
            assert_agents_are(nets, states, fleet, joined)
        for each in (*evolvers, together):
            each.step_done()
        for layer, number in zip(fleet.layers, range(len(fleet.layers)), strict=True):  # weights that move
            moved = [rng.standard_normal(net.layers[number].n_connections) for net in nets]
            for net, by in zip(nets, moved, strict=True):
                net.layers[number].values += by.astype(np.float32)
            layer.values += np.concatenate(moved).astype(np.float32)
    np.testing.assert_array_equal(together.replaced, total)
    assert total[1] > 0
    assert fleet.connections_per_agent.tolist() == [net.n_connections for net in nets]


def test_every_instruction_set_grows_where_networks_do(isa):
    nets = networks((40, 150, 3), (0.1, 0.5, 0.9))  # more than a tile of the gradient
    states, fleet, joined = side_by_side(nets)
    evolvers = [Evolver(METHODS["rigl"], net, state, seed=net.seed) for net, state in zip(nets, states, strict=True)]
    assert evolve_both(evolvers, nets, ts.FleetEvolver(METHODS["rigl"], fleet, joined), 3).all(), isa
    assert_agents_are(nets, states, fleet, joined)


@pytest.mark.parametrize("init", ["he_uniform", "xavier_uniform", "uniform", "normal"])
@pytest.mark.parametrize("fan", ["dense", "sparse"])
def test_fresh_weights_have_the_scale_of_their_agent(init, fan):
    nets = networks((8, 40, 3), (0.1, 0.6), init=init, fan=fan, dtype="float64")
    optimizer = ts.Adam(fresh_state="typical")
    states, fleet, joined = side_by_side(nets, optimizer)
    method = ts.SET(0.5, every_updates=1, fresh="init", output_layer=True)
    evolvers = [Evolver(method, net, state, seed=net.seed) for net, state in zip(nets, states, strict=True)]
    together = ts.FleetEvolver(method, fleet, joined)
    for _ in range(2):
        added = sum(each.evolve() for each in evolvers)
        assert together.evolve() == added > 0
        for each in (*evolvers, together):
            each.step_done()
    assert_agents_are(nets, states, fleet, joined)


@pytest.mark.parametrize("name", ["set", "rigl"])
@pytest.mark.parametrize("optimizer", [ts.SGD(0.1), ts.SGD(0.1, momentum=0.9), ts.Adam(fresh_state="typical")])
def test_a_single_agent_and_every_optimizer(name, optimizer):
    nets = networks(densities=(0.4,))
    states, fleet, joined = side_by_side(nets, optimizer)
    evolver = Evolver(METHODS[name], nets[0], states[0], seed=3)
    together = ts.FleetEvolver(METHODS[name], fleet, joined, seeds=[3])
    assert evolve_both([evolver], nets, together, 5)[0] > 0
    assert_agents_are(nets, states, fleet, joined)


@pytest.mark.parametrize("name", ["set", "magnitude", "rigl"])
def test_layers_without_connections_and_full_layers(name):
    """Blocks of no connection, of one, and of all; magnitudes that are equal; a wide layer among narrow ones."""
    rng = np.random.default_rng(2)
    empty, full, ties = np.zeros((40, 70)), rng.standard_normal((40, 70)), np.where(rng.random((40, 70)) < 0.3, 0.5, 0)
    one = empty.copy()
    one[7, 9] = -1
    few = np.where(rng.random((40, 70)) < 0.002, -1.0, 0)
    nets = [ts.SparseMLP.from_matrices([matrix], output="identity") for matrix in (empty, full, ties, one, few)]
    states, fleet, joined = side_by_side(nets)
    together = ts.FleetEvolver(METHODS[name], fleet, joined, threads=2, evolving=[0])
    evolvers = [
        Evolver(METHODS[name], net, state, seed=net.seed, evolving=[0]) for net, state in zip(nets, states, strict=True)
    ]
    for key in range(3):
        added = evolve_both(evolvers, nets, together, key)
        assert added[0] == added[3] == 0 < added[2]
        assert added[1] == (1120 if name == "magnitude" else 0)  # its new weights are drawn, at the same places
        for each in (*evolvers, together):
            each.step_done()
    assert_agents_are(nets, states, fleet, joined)


def test_large_blocks_that_are_drawn_by_sorting():
    nets = networks((3000, 700), (0.001, 0.0004))
    states, fleet, joined = side_by_side(nets)
    method = ts.SET(0.3, every_updates=1, output_layer=True)
    together = ts.FleetEvolver(method, fleet, joined, threads=3)
    added = sum(Evolver(method, net, state, seed=net.seed).evolve() for net, state in zip(nets, states, strict=True))
    assert together.evolve() == added > 500
    assert_agents_are(nets, states, fleet, joined)


def test_targets_take_the_new_topology():
    fleet = ts.Fleet(3, SIZES, density=0.3, seed=1)
    target = fleet.copy()
    together = ts.FleetEvolver(METHODS["set"], fleet, [layer.new_state(ts.Adam()) for layer in fleet.layers])
    assert target.take_topology(fleet) == 0
    added = together.evolve()
    assert target.take_topology(fleet) == added > 0
    assert all(a.connectivity is b.connectivity for a, b in zip(fleet.layers, target.layers, strict=True))


def test_goes_on_after_a_break_with_the_same_bits():
    def start():
        nets = networks()
        _, fleet, joined = side_by_side(nets)
        return fleet, joined, ts.FleetEvolver(METHODS["set"], fleet, joined)

    def run(evolver, updates):
        for _ in range(updates):
            if evolver.due():
                evolver.evolve()
            evolver.step_done()

    fleet, joined, whole = start()
    run(whole, 9)
    other, other_state, first = start()
    run(first, 4)
    second = ts.FleetEvolver(METHODS["set"], other, other_state)
    second.load_state_dict({name: np.asarray(value) for name, value in first.state_dict().items()})
    run(second, 5)
    assert_same((fleet.layers, joined), (other.layers, other_state))
    assert second.count == 9
    np.testing.assert_array_equal(second.replaced, whole.replaced)
    first.load_state_dict({"count": 9})
    assert (first.count, first.replaced.tolist()) == (9, [0] * 5)
    for wrong in (
        {},
        {"count": 1, "other": 2},
        {"count": 1, "replaced": np.zeros(4, int)},
        {"count": -1, "replaced": np.zeros(5, int)},
        3,
    ):
        with pytest.raises(ts.InputError, match=r"state|count"):
            second.load_state_dict(wrong)
    assert second.count == 9


def test_static_leaves_everything():
    fleet = ts.Fleet(2, SIZES, density=0.3)
    states = [layer.new_state(ts.SGD()) for layer in fleet.layers]
    before = [layer.connectivity for layer in fleet.layers]
    evolver = ts.FleetEvolver(ts.Static(), fleet, states)
    evolver.step_done()
    assert not evolver.due()
    assert evolver.evolve() == 0
    assert all(layer.connectivity is con for layer, con in zip(fleet.layers, before, strict=True))


@pytest.mark.parametrize(
    "method",
    [
        ts.GSE(),
        ts.SET(percolate=True),
        ts.SET(density=ts.CubicDensity(0.1)),
        ts.evolution.make_evolution("chts"),
        ts.evolution.make_evolution("dsr"),
        ts.Evolution(prune.random, grow.uniform, ts.Schedule(0.3, every_updates=1)),
    ],
)
def test_methods_that_fleets_do_not_have_are_refused(method):
    fleet = ts.Fleet(2, SIZES, density=0.3)
    with pytest.raises(ts.InputError, match="method must be one that fleets have: SET, RigL or Static"):
        ts.FleetEvolver(method, fleet, [layer.new_state(ts.SGD()) for layer in fleet.layers], updates_per_epoch=5)


def test_wrong_input_is_refused_and_changes_nothing():
    fleet = ts.Fleet(2, SIZES, density=0.3)
    states = [layer.new_state(ts.SGD()) for layer in fleet.layers]
    for wrong, message in [
        ({"fleet": fleet[0]}, "fleet must be a Fleet, not SparseMLP"),
        ({"optimizer_state": states[:1]}, "optimizer_state must hold"),
        ({"seeds": [1]}, "seeds must be 2 integers"),
        ({"evolving": [7]}, "evolving"),
        ({"method": "set"}, "method must be a method"),
        ({"method": ts.SET()}, "updates_per_epoch must be given"),
        ({"method": ts.RigL()}, "total_updates must be given"),
    ]:
        arguments = {"method": METHODS["set"], "fleet": fleet, "optimizer_state": states} | wrong
        with pytest.raises(ts.InputError, match=message):
            ts.FleetEvolver(**arguments)
    evolver = ts.FleetEvolver(METHODS["rigl"], fleet, states)
    with pytest.raises(ts.InputError, match="RigL needs gradients"):
        evolver.evolve()


def test_an_evolver_refuses_the_layers_of_a_fleet():
    fleet = ts.Fleet(3, (4, 8, 2), density=0.5, seed=0)
    states = [layer.new_state(ts.Adam()) for layer in fleet.layers]
    for layers in (fleet.layers, fleet.network):
        with pytest.raises(ts.InputError, match="layers of a fleet must evolve by FleetEvolver"):
            ts.Evolver(ts.SET(0.5, every_updates=1), layers, states)
