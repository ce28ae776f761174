"""What an evolution may do to a layer, when, and on which storages."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.arrays import widened
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
def test_look_leaves_the_layer_as_it_is(name, storage):
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


def test_sign_flip_moves_weights_when_it_is_carried_out():
    net = network("indexed")
    _, current = started(net, ts.DeepR(l1=0.01, noise=0))
    before = net.layers[0].values.copy()
    current.decide(0, None, None)
    np.testing.assert_array_equal(net.layers[0].values, before)
    keep = current.views[0].keep_mask.astype(bool)
    moved = (before - np.float32(0.01) * np.sign(before))[keep]
    current.apply(0)
    found = {(v.tobytes()) for v in net.layers[0].values}
    assert {v.tobytes() for v in moved} <= found


@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", METHODS)
def test_methods_that_need_the_index_are_refused_on_tiles_before_training(name, weights):
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
    keep = np.ones(view.layer.n_connections, np.uint8)
    keep[np.argsort(np.abs(widened(view.layer.values)))[: int(view.fraction * len(keep))]] = 0
    return keep


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
def test_rules_that_declare_no_tiles_are_refused_on_them(method):
    with pytest.raises(ts.InputError, match="cannot evolve a network with storage='compact'"):
        ts.Trainer(network("compact"), evolution=method())
    assert ts.Trainer(network("indexed"), evolution=method())


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_a_rule_of_ones_own_that_declares_tiles_works_on_both(storage):
    net = network(storage)
    before = net.n_connections
    weights = np.sort(np.abs(net.layers[0].values))
    trainer = ts.Trainer(net, evolution=Evolution(declared, grow.uniform, Schedule(0.3, every_epochs=1)))
    assert trainer.evolve() == sum(int(0.3 * layer.n_connections) for layer in net.layers[:-1])
    assert net.n_connections == before
    kept = weights[int(0.3 * len(weights)) :]
    assert np.isin(kept, np.abs(net.layers[0].values)).all()


def test_a_growth_rule_for_tiles_returns_a_number_of_places():
    def rows(view):
        return np.zeros(view.layer.n_in + 1, np.int64), np.empty(0, np.int32)

    def fewer(view):
        return Uniform(view.count - 1)

    for rule in (rows, fewer):
        rule.storages = {"indexed", "tiled"}
        trainer = ts.Trainer(network("compact"), evolution=Evolution(declared, rule, Schedule(0.3, every_epochs=1)))
        with pytest.raises(ts.InputError, match="must return Uniform"):
            trainer.evolve()


def test_bfloat16_weights_survive_every_method_that_is_allowed():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 20)), rng.integers(0, 3, 64)
    for rule in (prune.magnitude, prune.sign_magnitude, prune.random):
        net = network("compact", weights="bfloat16", signals="bfloat16")
        largest = max(np.abs(widened(layer.values)).max() for layer in net.layers)
        method = Evolution(rule, grow.uniform, Schedule(0.3, every_epochs=1))
        ts.Trainer(net, evolution=method, batch_size=16).fit(X, y, epochs=3)
        assert max(np.abs(widened(layer.values)).max() for layer in net.layers) < 4 * largest


def test_random_prune_on_bfloat16_removes_the_exact_fraction_everywhere():
    net = network("compact", weights="bfloat16")
    _, current = started(net, Evolution(prune.random, grow.uniform, Schedule(0.5, every_epochs=1)))
    current.decide(0, None, None)
    keep = current.views[0].keep_mask
    assert len(keep) - keep.sum() == len(keep) // 2
    half = len(keep) // 2
    assert 0.3 < keep[:half].mean() < 0.7


@pytest.mark.parametrize("count", [0, 1, 4])
def test_trainer_slots_of_another_number_of_layers_are_refused(count):
    net = network("indexed")
    optimizer_state = ts.Trainer(net).optimizer_state
    assert len(optimizer_state) == 3
    with pytest.raises(ts.InputError, match="optimizer_state must hold optimizer state of each of the 3 layers"):
        ts.Trainer(net, optimizer_state=(optimizer_state * 2)[:count])
