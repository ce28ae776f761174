"""Evolution in a loop of one's own: any layers, a clock in updates, and going on after a break."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from evolution.training import (
    METHODS,
    ON_TILES,
    arrays_of,
    assert_same,
    batch_of,
    evolve_once,
    layers_and_state,
    network,
    problem,
    quick,
    weights_of,
)
from trulysparse.evolution import Evolver, make_evolution
from trulysparse.training.passes import checked_batch

ACTIVE = [name for name in METHODS if name != "static"]
STORED = [("indexed", {}), ("indexed", {"dtype": "float64"}), ("compact", {}), ("compact", {"weights": "bfloat16"})]
CASES = [(name, *stored) for name in METHODS for stored in STORED if stored[0] == "indexed" or name in ON_TILES]
ACTIVE_CASES = [case for case in CASES if case[0] != "static"]


def in_updates(name, **clock):
    """The method with an interval in updates."""
    special = {"dsr": {"threshold": 0.05}, "deepr": {"l1": 0.05, "noise": 0.05}, "mest": {"fraction": 0.2}}
    return type(make_evolution(name))(**special.get(name, {}), **clock)


def run(evolver, updates):
    """A loop without weight updates; how many connections each evolution added, by the number of updates before it."""
    added = {}
    for _ in range(updates):
        if evolver.due():
            added[evolver.count] = evolve_once(evolver.start(), evolver.count)
        evolver.step_done()
    return added


# ---- any layers ----


@pytest.mark.parametrize("optimizer", [ts.SGD(0.1), ts.Adam()])
@pytest.mark.parametrize("name, storage, settings", ACTIVE_CASES)
def test_evolve_plain_layers_keeps_what_stays_and_moves_its_state(name, storage, settings, optimizer):
    layers, states = layers_and_state(storage, optimizer, **settings)
    method = in_updates(name, every_updates=2, until=9)
    before = sum(layer.n_connections for layer in layers)
    evolver = Evolver(method, layers, states)
    for _ in range(10):
        old = [slots(layer, state) for layer, state in zip(layers, states, strict=True)]
        added = evolve_once(evolver.start(), evolver.count) if evolver.due() else 0
        new = [slots(layer, state) for layer, state in zip(layers, states, strict=True)]
        moved = sum(pair in b and a[pair] == b[pair] for a, b in zip(old, new, strict=True) for pair in a)
        assert sum(map(len, new)) - moved <= added  # a weight drawn again may be where one was removed
        for layer, state in zip(layers, states, strict=True):
            assert all(len(values) == layer.n_connections for values in (layer.values, *state.weight))
            if not layer.tiled:
                check_invariants(layer.connectivity)
        evolver.step_done()
    after = sum(layer.n_connections for layer in layers)
    assert after == (before if name != "granet" else round(before * 0.5))


@pytest.mark.parametrize("name", [name for name in ACTIVE if name not in ON_TILES])
def test_plain_layers_in_tiles_are_refused_by_methods_that_need_the_index(name):
    with pytest.raises(ts.InputError, match=rf"'{name}' cannot evolve layers\[0\] with storage='compact'"):
        Evolver(in_updates(name, every_updates=2, until=9), *layers_and_state("compact"))


def slots(layer, state):
    """(input, output) -> optimizer state."""
    matrices = [layer.to_csr(layer.in_order(np.arange(1.0, layer.n_connections + 1)))]
    place = matrices[0].tocoo()
    order = place.data.astype(int) - 1
    values = [np.asarray(slot)[order].tolist() for slot in state.weight]
    return dict(zip(zip(place.col.tolist(), place.row.tolist(), strict=True), zip(*values, strict=True), strict=True))


@pytest.mark.parametrize("name", ACTIVE)
def test_evolve_single_layer_equals_the_list_of_it(name):
    one, two = (layers_and_state() for _ in range(2))
    single = Evolver(in_updates(name, every_updates=1, until=4), one[0][1], one[1][1], seed=2)
    listed = Evolver(in_updates(name, every_updates=1, until=4), [two[0][1]], [two[1][1]], seed=2)
    added = run(single, 5)
    assert added == run(listed, 5)
    assert sum(added.values()) > 0
    assert_same((one[0][1:2], one[1][1:2]), (two[0][1:2], two[1][1:2]))
    untouched = layers_and_state()
    assert_same((one[0][::2], one[1][::2]), (untouched[0][::2], untouched[1][::2]))


@pytest.mark.parametrize("name, storage, settings", ACTIVE_CASES)
def test_evolve_layers_of_a_network_equals_the_network(name, storage, settings):
    """Hidden layers of a network as plain layers: the same numbers, hence the same random numbers."""
    net, method = network(storage, **settings), in_updates(name, every_updates=1, until=4)
    states = layers_and_state(storage, **settings)[1]
    plain = layers_and_state(storage, **settings)
    whole = Evolver(method, net, states, seed=5, evolving=[0, 1])
    parts = Evolver(method, plain[0][:2], plain[1][:2], seed=5, init=net.init)
    assert run(whole, 5) == run(parts, 5)
    assert_same((net.layers, states), plain)


def test_evolve_any_threads_give_the_same_bits():
    for name in ACTIVE:
        results = []
        for threads in (1, 3):
            layers, states = layers_and_state()
            run(Evolver(in_updates(name, every_updates=1, until=4), layers, states, threads=threads), 5)
            results.append((layers, states))
        assert_same(*results)


def test_evolve_draws_new_weights_as_init_says():
    layers, states = layers_and_state()
    before = [set(layer.values.tolist()) for layer in layers]
    Evolver(ts.SET(0.5, fresh="init", every_updates=1), layers, states, init=ts.WeightInit("normal")).evolve()
    drawn = np.array(
        [value for layer, old in zip(layers, before, strict=True) for value in set(layer.values.tolist()) - old]
    )
    assert len(drawn) > 100
    assert 0.08 < drawn.std() < 0.12
    assert np.abs(drawn).max() > 0.2  # no uniform distribution of that deviation reaches as far


def test_evolve_layers_in_files_equals_those_in_memory(tmp_path):
    results = []
    for folder in (None, tmp_path / "layers"):
        layers, states = layers_and_state("compact", folder=folder)
        Evolver(ts.SET(0.5, every_updates=1), layers, states).evolve()
        results.append((layers, states))
    assert_same(*results)


def test_evolvers_of_other_seeds_evolve_otherwise():
    results = []
    for seed in (0, 1):
        layers, states = layers_and_state()
        Evolver(ts.SET(0.5, every_updates=1), layers, states, seed=seed).evolve()
        results.append(arrays_of(layers, states))
    assert not np.array_equal(results[0][1], results[1][1])


# ---- the clock ----


@pytest.mark.parametrize("total", [None, 40, 50, 1000])
def test_clock_every_7_updates_until_50(total):
    layers, states = layers_and_state()
    evolver = Evolver(ts.SET(0.3, every_updates=7, until=50), layers, states, total_updates=total)
    assert list(run(evolver, 200)) == [7, 14, 21, 28, 35] + ([42, 49] if total != 40 else [])
    assert evolver.count == 200


@pytest.mark.parametrize("total", [None, 100])
def test_clock_falling_fraction_is_the_cosine_of_updates(total):
    layers, states = layers_and_state()
    n = layers[0].n_connections
    evolver = Evolver(ts.RigL(0.5, every_updates=7, until=50), layers, states, total_updates=total)
    for done in range(60):
        if evolver.due():
            view = evolver.start().views[0]
            assert view.fraction == pytest.approx(0.25 * (1 + math.cos(math.pi * done / 50)))
            view.keep_mask = np.ones(n, np.uint8)
        evolver.step_done()


def test_clock_shares_of_a_known_length_are_those_of_the_trainer():
    layers, states = layers_and_state()
    method = ts.RigL(0.5, every=10)
    evolver = Evolver(method, layers, states, total_updates=100)
    due = []
    for done in range(100):
        assert evolver.due() == method.due(done, 1, 100)
        if evolver.due():
            due.append(done)
            assert evolver.start().views[0].fraction == method.schedule.fraction_at(done / 100)
        evolver.step_done()
    assert due == [10, 20, 30, 40, 50, 60, 70]


def test_clock_in_epochs_is_due_at_their_ends():
    layers, states = layers_and_state()
    evolver = Evolver(ts.SET(0.3), layers, states, updates_per_epoch=6)
    assert list(run(evolver, 20)) == [6, 12, 18]


def test_static_is_never_due_and_needs_no_numbers():
    layers, states = layers_and_state()
    assert run(Evolver(ts.Static(), layers, states), 20) == {}


# ---- as in a Trainer ----


def own_loop(method, net, optimizer, X, y, epochs, size, total=None):
    """Training with a Trainer that knows nothing of evolution, and an Evolver on its layers; batches in order."""
    trainer = ts.Trainer(net, optimizer=optimizer, batch_size=size, seed=0)
    steps = len(X) // size
    evolver = Evolver(
        method, net, trainer.optimizer_state, total_updates=total, updates_per_epoch=steps, seed=trainer.seed
    )
    for _ in range(epochs):
        for start in range(0, len(X), size):
            batch = X[start : start + size], y[start : start + size]
            if evolver.due() and method.needs_gradient:
                step = trainer.training_step
                step.backward_to(evolver.start(), checked_batch(net, trainer.loss, *batch))
                step.remember_layers()
                step.count += 1
            else:
                if evolver.due():
                    evolver.evolve()
                trainer.step(*batch)
            evolver.step_done()
    return trainer, evolver


@pytest.mark.parametrize("name, storage, settings", CASES)
def test_own_loop_gives_the_bits_of_the_trainer(name, storage, settings):
    X, y = problem(192)
    optimizer = ts.SGD(0.05, momentum=0.9)
    trainer = ts.Trainer(network(storage, **settings), optimizer=optimizer, evolution=quick(name), batch_size=32)
    trainer.fit(X, y, epochs=4, shuffle=False)
    other, evolver = own_loop(quick(name), network(storage, **settings), optimizer, X, y, 4, 32, total=24)
    assert_same((trainer.net.layers, trainer.optimizer_state), (other.net.layers, other.optimizer_state))
    assert same_state(trainer.evolution_state, evolver.evolution_state)
    start = network(storage, **settings)
    changed = any(a.keys() != b.keys() for a, b in zip(*map(places, (start, trainer.net)), strict=True))
    assert changed == (name != "static")


def places(net):
    return weights_of(net) if not net.storage_config.tiled else weights_of(net.indexed())


def same_state(one, two):
    """Whether evolution states are equal, apart from layers of which nothing is remembered."""
    one, two = ({name: value for name, value in state.items() if value != {}} for state in (one, two))
    return one.keys() == two.keys() and all(
        np.array_equal(list(a.values()), list(b.values())) if isinstance(a, dict) else a == b
        for a, b in ((one[name], two[name]) for name in one)
    )


@pytest.mark.parametrize("name", ["rigl", "granet", "snfs", "set", "deepr"])
def test_end_in_updates_gives_the_bits_of_the_trainer(name):
    X, y = problem(192)
    method = in_updates(name, every_updates=4, until=13)
    trainer = ts.Trainer(network("indexed"), evolution=method, batch_size=32)
    trainer.fit(X, y, epochs=4, shuffle=False)
    for total in (None, 24):
        other, _ = own_loop(method, network("indexed"), ts.SGD(), X, y, 4, 32, total)
        assert_same((trainer.net.layers, trainer.optimizer_state), (other.net.layers, other.optimizer_state))


# ---- going on ----


@pytest.mark.parametrize("name", ACTIVE)
def test_resumed_evolver_gives_the_same_bits(name, tmp_path):
    whole, broken = (layers_and_state() for _ in range(2))
    method = in_updates(name, every_updates=3, until=20)
    evolver = Evolver(method, *whole, seed=4)
    run(evolver, 24)

    first = Evolver(method, *broken, seed=4)
    run(first, 10)
    np.savez(tmp_path / "evolver.npz", **first.state_dict())
    layers, states = [layer.copy() for layer in broken[0]], [state.copy() for state in broken[1]]
    second = Evolver(method, layers, states, seed=4)
    with np.load(tmp_path / "evolver.npz") as file:
        second.load_state_dict(file)
    assert second.count == 10
    run(second, 14)
    assert_same(whole, (layers, states))
    assert same_state(evolver.evolution_state, second.evolution_state)


def test_state_dict_is_a_copy():
    layers, states = layers_and_state()
    evolver = Evolver(in_updates("deepr", every_updates=1), layers, states)
    evolver.evolve()
    saved = evolver.state_dict()
    frozen = copy.deepcopy(saved)
    evolver.evolution_state["0"]["signs"] ^= 255
    evolver.load_state_dict(saved)
    evolver.evolution_state["1"]["signs"] ^= 255
    run(evolver, 3)
    assert saved.keys() == frozen.keys()
    assert all(np.array_equal(saved[name], frozen[name]) for name in saved)


@pytest.mark.parametrize(
    "state", [{}, None, 3, {"count": -1}, {"count": 1.5}, {"count": 1, "memory.0.signs": 1}, {"evolution_state.a": 1}]
)
def test_load_state_dict_of_something_else_is_refused_and_changes_nothing(state):
    layers, states = layers_and_state()
    evolver = Evolver(in_updates("granet", every_updates=2, until=9), layers, states)
    run(evolver, 4)
    before = evolver.state_dict()
    with pytest.raises(ts.InputError, match=r"state must be what state_dict\(\) returned|count must be"):
        evolver.load_state_dict(state)
    assert evolver.state_dict() == before


def test_forget_connections_lets_deepr_go_on_with_other_layers():
    layers, states = layers_and_state()
    evolver = Evolver(ts.DeepR(l1=0, noise=0), layers, states)
    assert evolver.evolve() == 0
    for layer in layers[:2]:
        layer.values *= -1
    evolver.forget_connections()
    assert evolver.state_dict() == {"count": 0}
    assert evolver.evolve() == 0
    layers[2].values *= -1
    assert evolver.evolve() == layers[2].n_connections


# ---- what is refused ----


@pytest.mark.parametrize(
    "method, settings, message",
    [
        ("set", {}, "method must be a method of evolution, such as SET"),
        (ts.SET, {}, "method must be a method of evolution"),
        (ts.SET(), {}, "updates_per_epoch must be given"),
        (ts.MEST(), {"total_updates": 10}, "updates_per_epoch must be given"),
        (ts.SET(every_updates=5, until=0.5), {}, "total_updates must be given"),
        (ts.RigL(), {}, "total_updates must be given"),
        (ts.GraNet(), {}, "total_updates must be given"),
        (ts.SNFS(every_updates=9), {"updates_per_epoch": 3}, "total_updates must be given"),
        (ts.SET(every_updates=5), {"total_updates": 0}, "total_updates must be at least 1"),
        (ts.SET(), {"updates_per_epoch": 0}, "updates_per_epoch must be at least 1"),
        (ts.SET(every_updates=5), {"seed": -1}, "seed must be at least 0"),
        (ts.SET(every_updates=5), {"threads": 0}, "threads must be at least 1"),
        (ts.SET(every_updates=5), {"init": "normal"}, "init must be a WeightInit"),
        (ts.SET(every_updates=5), {"evolving": [3]}, "evolving"),
    ],
)
def test_evolver_that_cannot_work_is_refused_at_once(method, settings, message):
    with pytest.raises(ts.InputError, match=message):
        Evolver(method, *layers_and_state(), **settings)


def test_evolve_without_gradients_that_are_needed_is_refused_and_changes_nothing():
    layers, states = layers_and_state()
    before = [array.copy() for array in arrays_of(layers, states)]
    evolver = Evolver(ts.GraNet(every_updates=1, until=5), layers, states)
    run_to = evolver.count = 3
    with pytest.raises(ts.InputError, match="GraNet needs gradients: hand start"):
        evolver.evolve()
    assert evolver.count == run_to
    for a, b in zip(before, arrays_of(layers, states), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_that_no_longer_fit_their_state_are_refused():
    layers, states = layers_and_state()
    evolver = Evolver(ts.SET(every_updates=1), layers, states)
    states[0].weight[0] = states[0].weight[0][:-1]
    with pytest.raises(ts.InputError, match=r"optimizer_state\[0\] must hold values along"):
        evolver.evolve()


def test_mixed_storages_evolve_where_the_method_can():
    indexed, tiled = layers_and_state("indexed"), layers_and_state("compact")
    layers, states = [indexed[0][0], tiled[0][1]], [indexed[1][0], tiled[1][1]]
    assert Evolver(ts.SET(0.3, every_updates=1), layers, states).evolve() > 0
    with pytest.raises(ts.InputError, match=r"layers\[1\] with storage='compact'.*layer\.indexed"):
        Evolver(ts.RigL(until=9), layers, states)
    step = Evolver(ts.RigL(until=9), layers, states, evolving=[0]).start()
    assert step.evolve_layer(0, *batch_of(layers[0], 0)) > 0
