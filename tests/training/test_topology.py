"""Evolution of the network of a TrainingStep: with and without a batch, and going on in the middle of one."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.position import Position
from trulysparse.training.passes import checked_batch
from trulysparse.training.step import TrainingStep
from trulysparse.training.topology import TopologyEvolution

SIZES = (8, 20, 16, 12, 3)


def step_of(seed=4):
    return TrainingStep(ts.SparseMLP(SIZES, epsilon=3, seed=1), ts.SGD(0.05, 0.9), seed=seed)


def weights_of(layer):
    matrix = layer.weight.tocoo()
    return set(zip(matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True))


def same(a, b):
    for x, y in zip(a.layers, b.layers, strict=True):
        np.testing.assert_array_equal(x.weight.toarray(), y.weight.toarray())


def silent(what, done, total):
    pass


def test_evolve_returns_the_number_of_added_connections():
    step = step_of()
    before = [weights_of(layer) for layer in step.net.layers]
    grown = TopologyEvolution(ts.SET(0.3), step).evolve(0.0, Position(), silent)
    # A connection may come back where it was removed, with another weight.
    assert grown == sum(len(weights_of(layer) - old) for layer, old in zip(step.net.layers, before, strict=True)) > 0


def test_evolve_reports_connections_that_are_done():
    step, reports = step_of(), []
    TopologyEvolution(ts.SET(0.3), step).evolve(0.0, Position(), lambda *report: reports.append(report))
    assert {what for what, _, _ in reports} == {"evolving"}
    done = [done for _, done, _ in reports]
    assert done == sorted(done)
    assert done[-1] == reports[-1][2]


def test_evolve_broken_off_between_layers_goes_on_to_the_same_network():
    whole, broken = step_of(), step_of()
    TopologyEvolution(ts.SET(0.3), whole).evolve(0.0, Position(), silent)
    position = Position()

    def break_off(what, done, total):
        if position.evolved_layers == 2:
            raise KeyboardInterrupt

    evolution = TopologyEvolution(ts.SET(0.3), broken)
    with pytest.raises(KeyboardInterrupt):
        evolution.evolve(0.0, position, break_off)
    evolution.evolve(0.0, position, silent)
    assert position.evolved_layers == 0
    same(whole.net, broken.net)


def test_evolve_on_a_batch_counts_a_step_and_updates_no_weight(rng):
    step = step_of()
    batch = checked_batch(step.net, step.passes.loss, rng.standard_normal((30, 8)), rng.integers(0, 3, 30))
    weights = [layer.weight.tocsr() for layer in step.net.layers]
    expected, _ = step.gradients(batch)
    grown, loss = TopologyEvolution(ts.RigL(0.3), step).evolve_on(batch, 0.0)
    assert (step.count, loss) == (1, expected)
    assert grown > 0
    for layer, old in zip(step.net.layers, weights, strict=True):
        new = layer.weight.tocsr()
        stayed = (new != 0).multiply(old != 0)
        assert abs((new - old).multiply(stayed)).sum() == 0


def test_an_end_in_updates_counts_those_of_the_training_asked_about():
    step = step_of()
    method = ts.Evolution(
        ts.evolution.prune.magnitude,
        ts.evolution.grow.uniform,
        ts.Schedule(0.8, every_updates=5, decay="linear", until=20),
    )
    evolution = TopologyEvolution(method, step)
    assert [done for done in range(41) if evolution.due(done, 10, 40)] == [5, 10, 15, 20]
    n = [layer.n_connections for layer in step.net.layers[:-1]]
    assert evolution.evolve(10 / 40, Position(), silent) == sum(int(0.4 * each) for each in n)


def test_forget_connections_drops_arrays_and_keeps_numbers():
    evolution = TopologyEvolution(ts.SET(), step_of())
    evolution.evolution_state = {"0": {"momentum": np.ones(3), "rate": 0.1}, "share": 0.5}
    evolution.forget_connections()
    assert evolution.evolution_state == {"0": {"rate": 0.1}, "share": 0.5}
