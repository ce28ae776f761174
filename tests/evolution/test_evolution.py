"""What an evolution may do to a layer, when, and on which storages."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import trained
from trulysparse._core.arrays import widened
from trulysparse._core.random import stream_key
from trulysparse.connectivity.coordinates import Uniform
from trulysparse.evolution import NAMES, Evolution, Schedule, grow, make_evolution, prune

METHODS = [name for name in NAMES if name != "none"]
ON_TILES = {"static", "set"}


def network(storage, **settings):
    return ts.SparseMLP((20, 30, 25, 3), epsilon=4, seed=1, storage=storage, **settings)


def started(net, method, key=7):
    trainer = ts.Trainer(net, evolution=method, optimizer=ts.SGD(0.05, momentum=0.9), batch_size=32)
    rng = np.random.default_rng(0)
    trainer.step(rng.normal(size=(32, 20)), rng.integers(0, 3, 32))
    current = method.start(net, trainer.optimizer_state, key=key, threads=2, training_progress=0.2, evolution_state={})
    return trainer, current


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("name", METHODS)
def test_decide_each_method_leaves_the_layer_unchanged(name, storage):
    method = make_evolution(name)
    if storage == "compact" and name not in ON_TILES:
        pytest.skip("refused, see below")
    net = network(storage)
    _, current = started(net, method)
    rng = np.random.default_rng(2)
    for number in current.views:
        layer = net.layers[number]
        before, con, array = layer.values.copy(), layer.connectivity, layer.values
        x, dy = (rng.normal(size=(n, 32)).astype(np.float32) for n in (layer.n_in, layer.n_out))
        current.decide(number, x, dy)
        assert layer.values is array
        assert layer.connectivity is con
        np.testing.assert_array_equal(layer.values.view(np.uint8), before.view(np.uint8))
        current.apply(number)


def test_sign_flip_weights_move_when_the_step_is_applied():
    net = network("indexed")
    _, current = started(net, ts.DeepR(l1=0.01, noise=0))
    before = net.layers[0].values.copy()
    current.decide(0, None, None)
    np.testing.assert_array_equal(net.layers[0].values, before)
    keep_mask = current.views[0].keep_mask.astype(bool)
    moved = (before - np.float32(0.01) * np.sign(before))[keep_mask]
    current.apply(0)
    assert {v.tobytes() for v in moved} <= {v.tobytes() for v in net.layers[0].values}


@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", METHODS)
def test_methods_needing_the_index_on_tiles_are_refused_before_training(name, weights):
    net = network("compact", weights=weights, signals=weights)
    before = [layer.values.copy() for layer in net.layers]
    if name in ON_TILES:
        assert ts.Trainer(net, evolution=make_evolution(name)).net is net
        return
    with pytest.raises(ts.InputError, match=f"evolution '{name}' cannot evolve a network with storage='compact'"):
        ts.Trainer(net, evolution=make_evolution(name))
    with pytest.raises(ts.InputError, match="storage='compact'"):
        make_evolution(name).start(net, [], key=0, threads=1)
    for layer, values in zip(net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


def weakest(view):
    return prune.magnitude(view)


def undeclared(view):
    return grow.uniform(view)


def declared(view):
    keep_mask = np.ones(view.layer.n_connections, np.uint8)
    keep_mask[np.argsort(np.abs(widened(view.layer.values)))[: int(view.fraction * len(keep_mask))]] = 0
    return keep_mask


declared.storages = {"indexed", "tiled"}


@pytest.mark.parametrize(
    "method",
    [
        lambda: Evolution(weakest, grow.uniform, Schedule(0.3, every_epochs=1)),
        lambda: Evolution(prune.magnitude, undeclared, Schedule(0.3, every_epochs=1)),
        lambda: Evolution(prune.SignFlip(), grow.uniform, Schedule(0.3, every_epochs=1)),
        lambda: Evolution(prune.GlobalMagnitude(), grow.uniform, Schedule(0.3, every_epochs=1)),
        lambda: Evolution(prune.magnitude, grow.uniform, Schedule(0.3, every_epochs=1), fresh="zero"),
        lambda: Evolution(prune.magnitude, grow.uniform, Schedule(0.3, every_epochs=1), budget=lambda views: [1, 1]),
    ],
)
def test_rules_declaring_no_tiles_on_them_are_refused(method):
    with pytest.raises(ts.InputError, match="cannot evolve a network with storage='compact'"):
        ts.Trainer(network("compact"), evolution=method())
    assert ts.Trainer(network("indexed"), evolution=method())


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_own_rule_declaring_tiles_works_on_both_storages(storage):
    net = network(storage)
    before = net.n_connections
    weights = np.sort(np.abs(net.layers[0].values))
    trainer = ts.Trainer(net, evolution=Evolution(declared, grow.uniform, Schedule(0.3, every_epochs=1)))
    assert trainer.evolve() == sum(int(0.3 * layer.n_connections) for layer in net.layers[:-1])
    assert net.n_connections == before
    largest = weights[int(0.3 * len(weights)) :]
    assert np.isin(largest, np.abs(net.layers[0].values)).all()


def test_growth_rule_for_tiles_returning_anything_but_uniform_is_refused():
    def rows(view):
        return np.zeros(view.layer.n_in + 1, np.int64), np.empty(0, np.int32)

    def fewer(view):
        return Uniform(view.count - 1)

    for rule in (rows, fewer):
        rule.storages = {"indexed", "tiled"}
        trainer = ts.Trainer(network("compact"), evolution=Evolution(declared, rule, Schedule(0.3, every_epochs=1)))
        with pytest.raises(ts.InputError, match="must return Uniform"):
            trainer.evolve()


def test_bfloat16_weights_every_allowed_rule_stay_in_range():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 20)), rng.integers(0, 3, 64)
    for rule in (prune.magnitude, prune.sign_magnitude, prune.random):
        net = network("compact", weights="bfloat16", signals="bfloat16")
        largest = max(np.abs(widened(layer.values)).max() for layer in net.layers)
        method = Evolution(rule, grow.uniform, Schedule(0.3, every_epochs=1))
        ts.Trainer(net, evolution=method, batch_size=16).fit(X, y, epochs=3)
        assert max(np.abs(widened(layer.values)).max() for layer in net.layers) < 4 * largest


def test_random_prune_on_bfloat16_removes_the_exact_fraction():
    net = network("compact", weights="bfloat16")
    _, current = started(net, Evolution(prune.random, grow.uniform, Schedule(0.5, every_epochs=1)))
    current.decide(0, None, None)
    keep_mask = current.views[0].keep_mask
    half = len(keep_mask) // 2
    assert len(keep_mask) - keep_mask.sum() == half
    assert 0.3 < keep_mask[:half].mean() < 0.7


@pytest.mark.parametrize("count", [0, 1, 4])
def test_trainer_state_of_another_number_of_layers_is_refused(count):
    net = network("indexed")
    optimizer_state = ts.Trainer(net).optimizer_state
    assert len(optimizer_state) == 3
    with pytest.raises(ts.InputError, match="optimizer_state must hold optimizer state of each of the 3 layers"):
        ts.Trainer(net, optimizer_state=(optimizer_state * 2)[:count])


def test_own_prune_rule_in_training_learns_and_keeps_the_size():
    """The example of docs/evolution.md: connections of the weakest input neurons go."""

    def weakest_inputs(view):
        rows = view.layer.connectivity.by_input
        owner = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))
        strength = np.bincount(owner, weights=np.abs(view.layer.values), minlength=view.layer.n_in)
        return prune.smallest(strength[owner].astype(view.layer.values.dtype), view)

    method = ts.Evolution(prune=weakest_inputs, grow=grow.uniform, schedule=ts.Schedule(0.2, every_epochs=1))
    trainer, history = trained(method)
    assert trainer.net.n_connections == ts.SparseMLP((20, 30, 25, 3), epsilon=4.0).n_connections
    assert history.records[-1]["loss"] < history.records[0]["loss"]


def keep_all_or_none(value, dtype=np.uint8):
    return lambda view: np.full(view.layer.n_connections, value, dtype)


def existing(view):
    rows = view.layer.connectivity.by_input
    return rows.ptr.copy(), rows.index.copy()


@pytest.mark.parametrize(
    ("pruning", "growth", "message"),
    [
        (lambda view: None, grow.uniform, "must return a uint8 keep mask"),
        (keep_all_or_none(1, bool), grow.uniform, "must return a uint8 keep mask"),
        (lambda view: np.ones(3, np.uint8), grow.uniform, "must return a uint8 keep mask"),
        (prune.magnitude, grow.no_growth, r"no_growth must return \d+ coordinates"),
        (keep_all_or_none(0), lambda view: (existing(view)[0], existing(view)[1] - 1), "must return outputs from 0 to"),
    ],
)
def test_rules_returning_something_else_are_refused(pruning, growth, message):
    before = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0).n_connections
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(pruning, growth, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(net, evolution=method).evolve()
    assert net.n_connections == before


def test_growth_rule_returning_existing_connections_is_refused():
    def half(view):
        keep_mask = np.ones(view.layer.n_connections, np.uint8)
        keep_mask[::2] = 0
        return keep_mask

    def one_existing(view):
        ptr, index = grow.uniform(view)
        rows = view.layer.connectivity.by_input
        first = int(np.flatnonzero(np.diff(ptr) > 0)[0])
        row = slice(rows.ptr[first], rows.ptr[first + 1])
        index[ptr[first]] = rows.index[row][view.keep_mask[row] > 0][0]
        index[ptr[first] : ptr[first + 1]].sort()
        return ptr, index

    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(half, one_existing, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=r"hold a connection that remains|ascending and each once"):
        ts.Trainer(net, evolution=method).evolve()


def test_evolve_gradient_method_without_batch_is_refused():
    net = ts.SparseMLP((20, 30, 3), epsilon=4.0)
    with pytest.raises(ts.InputError, match="needs X_batch and y_batch"):
        ts.Trainer(net, evolution=ts.RigL()).evolve()
    with pytest.raises(ts.InputError, match="must be given to the Trainer"):
        ts.Trainer(net).evolve()
    with pytest.raises(ts.InputError, match="budget must be as_lost"):
        ts.Evolution(prune.MagnitudeAndGradient(), grow.uniform, ts.Schedule(every_epochs=1), budget=lambda views: [0])


def test_evolution_step_in_own_loop_equals_the_trainer():
    """The same key and state give the same network, with a Trainer and without."""
    networks = []
    for own_loop in (False, True):
        net = network("indexed")
        optimizer = ts.SGD(0.05, momentum=0.9)
        if own_loop:
            state = [layer.new_state(optimizer) for layer in net.layers]
            step = ts.SET(0.3).start(net, state, key=stream_key(0, "evolution", 0), threads=1)
            assert sum(step.evolve_layer(number) for number in range(3)) > 0
        else:
            ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(0.3), seed=0).evolve()
        networks.append(net)
    for a, b in zip(networks[0].layers, networks[1].layers, strict=True):
        np.testing.assert_array_equal(a.connectivity.indices, b.connectivity.indices)
        np.testing.assert_array_equal(a.values, b.values)
