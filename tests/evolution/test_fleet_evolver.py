"""Evolution of fleets: each agent as an Evolver of its own evolves it, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from evolution.training import assert_same
from trulysparse.evolution import Evolver, grow, prune

SIZES = (9, 14, 6, 3)
MAGNITUDE = ts.Evolution(prune.magnitude, grow.uniform, ts.Schedule(0.4, every_updates=2))
METHODS = {
    "set": ts.SET(0.3, every_updates=2),
    "set with fresh weights": ts.SET(0.5, every_updates=2, fresh="init", output_layer=True),
    "magnitude": MAGNITUDE,
    "rigl": ts.RigL(0.4, every_updates=2, until=12),
    "rigl with fresh weights": ts.Evolution(
        prune.sign_magnitude, grow.LargestGradient(), ts.Schedule(0.3, every_updates=2), fresh="init"
    ),
}


def networks(sizes=SIZES, densities=(0.05, 0.3, 0.7, 1.0, 0.3), **settings):
    """Networks of different densities, with settings of weights that depend on the connections."""
    settings = {"output": "identity", "fan": "sparse", **settings}
    return [
        ts.SparseMLP(sizes, density=density, densities="uniform", seed=10 + i, threads=1, **settings)
        for i, density in enumerate(densities)
    ]


def with_state(net, optimizer, rng):
    """Optimizer state that is not zero."""
    states = [layer.new_state(optimizer) for layer in net.layers]
    for state in states:
        for values in state.weight:
            values[:] = np.abs(rng.standard_normal(len(values)))
    return states


def side_by_side(nets, optimizer=None, seed=0):
    """The networks with their states, and a fleet of them with the same."""
    rng = np.random.default_rng(seed)
    states = [with_state(net, optimizer or ts.Adam(), rng) for net in nets]
    fleet = ts.Fleet.from_networks(nets)
    joined = [layer.new_state(optimizer or ts.Adam()) for layer in fleet.layers]
    for number, state in enumerate(joined):
        for slot, values in enumerate(state.weight):
            values[:] = np.concatenate([each[number].weight[slot] for each in states])
    return states, fleet, joined


def state_of(fleet, states, agent):
    """The optimizer state of one agent; biases as they are in all."""
    cut = []
    for number, (layer, state) in enumerate(zip(fleet.layers, states, strict=True)):
        start, stop = fleet.blocks(number)[agent : agent + 2]
        n = layer.n_out // fleet.n_agents
        bias = [values[agent * n : (agent + 1) * n] for values in state.bias]
        cut.append(ts.optim.OptimizerState([values[start:stop] for values in state.weight], bias))
    return cut


def batches(nets, layer, key, columns=7):
    """x and dy of a layer for each network."""
    rng = np.random.default_rng([key, layer])
    one = nets[0].layers[layer]
    return [
        tuple(rng.standard_normal((n, columns)).astype(one.values.dtype) for n in (one.n_in, one.n_out)) for _ in nets
    ]


def evolve_both(evolvers, nets, fleet_evolver, key, dtype=np.float32):
    """One evolution of the networks and of the fleet; how many connections were added, of each agent."""
    steps, step, added = [each.start() for each in evolvers], fleet_evolver.start(), np.zeros(len(nets), np.int64)
    for number in step.layers:
        pairs = batches(nets, number, key)
        added += [one.evolve_layer(number, *pair) for one, pair in zip(steps, pairs, strict=True)]
        joined = [np.stack(arrays) for arrays in zip(*pairs, strict=True)]
        step.evolve_layer(number, *joined)
    assert step.n_added == added.sum()
    return added


def assert_agents_are(nets, states, fleet, joined):
    """Each agent has the arrays of its network."""
    for layer in fleet.layers:
        check_invariants(layer.connectivity)
    for agent, (net, state) in enumerate(zip(nets, states, strict=True)):
        assert_same((net.layers, state), (fleet[agent].layers, state_of(fleet, joined, agent)))


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


def test_a_step_is_the_sink_of_a_backward_pass():
    """RigL in the pass: what networks get in passes of their own."""
    nets = networks(activation="relu")
    states, fleet, joined = side_by_side(nets, ts.SGD(0.1, momentum=0.9))
    method, x = METHODS["rigl"], np.random.default_rng(4).standard_normal((5, 9, 16)).astype(np.float32)
    passes = fleet.passes(16, threads=2)
    passes.x[:] = x
    (z,) = passes.forward()
    dy = np.ascontiguousarray(z - 1)
    dx = np.empty_like(x)
    together = ts.FleetEvolver(method, fleet, joined)
    step = together.start()
    passes.backward([dy], [step], [dx])
    for agent, (net, state) in enumerate(zip(nets, states, strict=True)):
        own = ts.Fleet.from_networks([net])
        alone = own.passes(16, threads=1)
        alone.x[:] = x[agent : agent + 1]
        alone.forward()
        evolver = Evolver(method, own.layers, state, seed=net.seed)
        dx_alone = np.empty_like(x[:1])
        alone.backward([dy[agent : agent + 1].copy()], [evolver.start()], [dx_alone])
        np.testing.assert_array_equal(dx_alone[0], dx[agent])
        assert_same((own.layers, state), (fleet[agent].layers, state_of(fleet, joined, agent)))
    assert together.replaced.sum() == step.n_added > 0


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
    for wrong in ({}, {"count": 1, "replaced": np.zeros(4, int)}, {"count": -1, "replaced": np.zeros(5, int)}, 3):
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
    step, con = evolver.start(), fleet.layers[0].connectivity
    x, dy = np.ones((18, 4), np.float32), np.ones((28, 4), np.float32)
    with pytest.raises(ts.InputError, match="give x and dy"):
        step.evolve_layer(0)
    with pytest.raises(ts.InputError, match="x must be float32 of shape"):
        step.evolve_layer(0, x[:9], dy)
    dy[14:] = np.nan
    with pytest.raises(ts.InputError, match=r"layers\[0\] cannot evolve: agent 1 has gradients that are not finite"):
        step.evolve_layer(0, x, dy)
    assert fleet.layers[0].connectivity is con
    dy[14:] = 1
    assert step.evolve_layer(0, x, dy) > 0
    with pytest.raises(ts.InputError, match="layer 0 has evolved"):
        step.evolve_layer(0, x, dy)


def test_connections_between_agents_are_refused():
    fleet = ts.Fleet(2, (3, 4), density=0.5)
    layer = fleet.layers[0]
    rows = layer.connectivity.by_input
    index = rows.index.copy()
    index[rows.ptr[3] - 1] = 7  # from agent 0 to agent 1
    layer.connectivity = ts.connectivity.Connectivity.from_inputs(6, 8, rows.ptr, index, 1)
    evolver = ts.FleetEvolver(ts.SET(every_updates=1, output_layer=True), fleet, [layer.new_state(ts.SGD())])
    with pytest.raises(ts.InputError, match="agent 0 has connections outside its block"):
        evolver.evolve()
