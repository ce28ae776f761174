"""One evolution of a fleet: layer by layer, as a sink, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.fleets import METHODS, SIZES, networks, side_by_side, state_of
from evolution.training import assert_same
from trulysparse.evolution import Evolver
from trulysparse.nn.tile_pass import TilePass


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
        alone = TilePass(net, net.workspace().signals(16, 1.0))
        alone.signals[0].values[:] = x[agent]
        alone.forward(0, threads=1)
        evolver = Evolver(method, net, state, seed=net.seed)
        dx_alone = np.empty_like(x[0])
        alone.backward(dy[agent].copy(), evolver.start(), 1, dx_alone)
        np.testing.assert_array_equal(dx_alone, dx[agent])
        assert_same((net.layers, state), (fleet[agent].layers, state_of(fleet, joined, agent)))
    assert together.replaced.sum() == step.n_added > 0


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


def test_wrong_batches_are_refused_and_change_nothing():
    fleet = ts.Fleet(2, SIZES, density=0.3)
    evolver = ts.FleetEvolver(METHODS["rigl"], fleet, [layer.new_state(ts.SGD()) for layer in fleet.layers])
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


def test_decide_leaves_the_layer_as_it_is():
    fleet = ts.Fleet(2, SIZES, density=0.3)
    state = [layer.new_state(ts.SGD(momentum=0.9)) for layer in fleet.layers]
    layer, step = fleet.layers[1], ts.FleetEvolver(METHODS["set"], fleet, state).start()
    before = layer.connectivity, layer.values, layer.values.copy(), state[1].weight[0]
    step.decide(1, None, None)
    assert (layer.connectivity, layer.values, state[1].weight[0]) == (before[0], before[1], before[3])
    np.testing.assert_array_equal(layer.values, before[2])
    assert step.apply(1) == step.n_added > 0
    assert layer.connectivity is not before[0]
    assert step.evolve_layer(2) == 0  # the output layer does not evolve
