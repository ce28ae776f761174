"""Learners that go on where others were."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.kept_models import Parts
from trulysparse.rl.learner import Learner
from trulysparse.rl.learner_state import learner_parts, restore_learner

EVOLUTIONS = {
    "none": None,
    "SET": ts.SET(0.2, every_updates=4),
    "RigL": ts.RigL(0.3, every_updates=4, until=0.9),
    "DeepR": ts.DeepR(every_updates=3),  # remembers an array of each layer
    "MEST": ts.MEST(every_updates=4),
    "GraNet": ts.GraNet(0.2, every_updates=4),  # connections become fewer
}


def new(seed=0, evolution="SET", **options):
    return Learner(
        (6, 20, 20, 2),
        batch_size=20,
        density=0.4,
        evolution=EVOLUTIONS[evolution],
        total_updates=40,
        seed=seed,
        **{"n_networks": 2, "optimizer": ts.Adam(0.01)} | options,
    )


def learn(learner: Learner, rng: np.random.Generator, updates: int) -> None:
    for _ in range(updates):
        learner.x[:, :20] = rng.standard_normal((6, 20))
        for y, dy in zip(learner.forward(), learner.dy, strict=True):
            dy[:] = y - learner.x[:2]
        learner.update()
        if learner.targets:
            learner.soft_update(0.1)


def everything(learner: Learner) -> list[np.ndarray]:
    found = []
    for net in (*learner.nets, *learner.targets):
        for layer in net.layers:
            found += [layer.connectivity.by_input.ptr, layer.connectivity.by_input.index, layer.values, layer.bias]
    for states in learner.optimizer_state:
        for state in states:
            found += [*state.weight, *state.bias]
    return [each.copy() for each in found]


def through_json(parts: Parts) -> Parts:
    return Parts(parts.networks, parts.arrays, json.loads(json.dumps(parts.config)))


@pytest.mark.parametrize("evolution", EVOLUTIONS)
@pytest.mark.parametrize("options", [{}, {"target": False, "n_networks": 1, "optimizer": ts.SGD(0.01, momentum=0.9)}])
@pytest.mark.parametrize("before", [0, 1, 13])
def test_goes_on_with_the_same_bits(evolution, options, before):
    first, rng = new(0, evolution, **options), np.random.default_rng(0)
    learn(first, rng, before)
    second = new(1, evolution, **options)
    learn(second, np.random.default_rng(9), 7)  # what it was goes
    for one, two in zip(first.nets, second.nets, strict=True):
        two.seed = one.seed  # as of a learner of the same arguments
    second._evolvers = None
    restore_learner(second, through_json(learner_parts(first)))
    for one, two in zip(everything(first), everything(second), strict=True):
        np.testing.assert_array_equal(one, two)
    bits = rng.bit_generator.state
    learn(first, rng, 15)
    rng.bit_generator.state = bits
    learn(second, rng, 15)
    for one, two in zip(everything(first), everything(second), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.n_updates, first.replaced) == (second.n_updates, second.replaced)


def test_targets_share_the_connectivity_of_their_networks():
    first, second = new(), new(1)
    learn(first, np.random.default_rng(0), 9)
    restore_learner(second, learner_parts(first))
    for net, target in zip(second.nets, second.targets, strict=True):
        for layer, other in zip(net.layers, target.layers, strict=True):
            assert other.connectivity is layer.connectivity


def test_learners_do_not_write_to_each_others_arrays():
    first, second = new(), new(1)
    learn(first, np.random.default_rng(0), 3)
    restore_learner(second, learner_parts(first))
    before = everything(first)
    learn(second, np.random.default_rng(0), 3)
    for one, two in zip(before, everything(first), strict=True):
        np.testing.assert_array_equal(one, two)


def test_evolution_may_begin_with_the_file():
    first, second = new(evolution="none"), new(1, "SET")
    learn(first, np.random.default_rng(0), 7)
    restore_learner(second, learner_parts(first))
    learn(second, np.random.default_rng(0), 1)
    assert second.replaced > 0  # due at the eighth update
    assert second.evolvers[0].count == 8


def test_other_networks_are_refused():
    parts = learner_parts(new())
    with pytest.raises(ts.InputError, match="there are 2 networks, where this learner has 1"):
        restore_learner(new(n_networks=1), parts)
    other = Learner((6, 30, 2), batch_size=20, n_networks=2, density=0.4)
    with pytest.raises(ts.InputError, match=r"a network has layers of \(6, 20, 20, 2\) neurons, not \(6, 30, 2\)"):
        restore_learner(other, parts)


def test_arrays_of_another_size_are_refused():
    first = new()
    parts = learner_parts(first)
    parts.arrays["0.layers.1.slot0"] = np.zeros(3, np.float32)
    with pytest.raises(ts.InputError, match=r"0.layers.1.slot0 is float32\(3,\), not float32"):
        restore_learner(new(1), parts)


def test_another_number_of_agents_is_refused():
    parts = learner_parts(new(n_agents=2, evolution="none"))
    for n_agents, words in ((3, "of 2 agents, not of 3"), (None, "of 2 agents, not of none")):
        with pytest.raises(ts.InputError, match=words):
            restore_learner(new(n_agents=n_agents, evolution="none"), parts)
