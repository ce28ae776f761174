"""What an evolution may do to a layer, when, and on which storages."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from evolution.training import METHODS, ON_TILES, network, trained
from trulysparse._core.arrays import widened
from trulysparse.connectivity.coordinates import Uniform
from trulysparse.evolution import Evolution, Schedule, grow, make_evolution, prune


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
        lambda: Evolution(prune.magnitude, grow.uniform, Schedule(0.3, every_epochs=1), percolate=True),
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


@pytest.mark.parametrize("count", [0, 1, 4])
def test_trainer_state_of_another_number_of_layers_is_refused(count):
    net = network("indexed")
    optimizer_state = ts.Trainer(net).optimizer_state
    assert len(optimizer_state) == 3
    with pytest.raises(ts.InputError, match="optimizer_state must hold optimizer state of each of the 3 layers"):
        ts.Trainer(net, optimizer_state=(optimizer_state * 2)[:count])


def test_own_prune_rule_in_training_learns_and_keeps_the_size():
    """The example of docs/own_rules.md: connections of the weakest input neurons go."""

    def weakest_inputs(view):
        rows = view.layer.connectivity.by_input
        owner = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))
        strength = np.bincount(owner, weights=np.abs(view.layer.values), minlength=view.layer.n_in)
        return prune.smallest(strength[owner].astype(view.layer.values.dtype), view)

    method = ts.Evolution(prune=weakest_inputs, grow=grow.uniform, schedule=ts.Schedule(0.2, every_epochs=1))
    trainer, history = trained(method)
    assert trainer.net.n_connections == ts.SparseMLP((20, 30, 25, 3), epsilon=4.0).n_connections
    assert history.records[-1]["loss"] < history.records[0]["loss"]


def test_evolve_gradient_method_without_batch_is_refused():
    net = ts.SparseMLP((20, 30, 3), epsilon=4.0)
    with pytest.raises(ts.InputError, match="needs X_batch and y_batch"):
        ts.Trainer(net, evolution=ts.RigL()).evolve()
    with pytest.raises(ts.InputError, match="must be given to the Trainer"):
        ts.Trainer(net).evolve()
    with pytest.raises(ts.InputError, match="budget must be as_lost"):
        ts.Evolution(prune.MagnitudeAndGradient(), grow.uniform, ts.Schedule(every_epochs=1), budget=lambda views: [0])
