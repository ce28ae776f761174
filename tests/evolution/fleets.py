"""Fleets beside the networks that they consist of, for tests of their evolution."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from conftest import check_invariants
from evolution.training import assert_same
from trulysparse.evolution import grow, prune

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
