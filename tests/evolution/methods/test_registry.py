"""All methods by name, in training: invariants, reproducibility, layers nearly empty and full."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from conftest import check_invariants
from evolution.training import problem, quick, trained
from trulysparse.evolution import NAMES, make_evolution
from trulysparse.evolution.methods.registry import STANDING

METHODS = [name for name in NAMES if name not in STANDING]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_make_evolution_each_name_gives_its_method(name):
    assert make_evolution(name).name == name


def test_make_evolution_none_gives_none():
    assert make_evolution("none") is None


def test_make_evolution_zeta_is_given_to_set():
    assert make_evolution("set", zeta=0.15).zeta == 0.15
    assert make_evolution("set", until=0.5).schedule.until == 0.5


def test_make_evolution_unknown_name_is_refused_by_the_argument_given():
    with pytest.raises(ts.InputError, match="--evolution must be one of"):
        make_evolution("sets", argument="--evolution")


@pytest.mark.parametrize("name", NAMES)
def test_make_evolution_hands_the_output_layer_on(name):
    default = make_evolution(name)
    for output_layer in (False, True):
        method = make_evolution(name, output_layer=output_layer)
        if name in METHODS:
            assert method.output_layer is output_layer
            assert type(default)(output_layer=output_layer).output_layer is output_layer
        else:
            assert type(method) is type(default)
    assert [each for each in METHODS if make_evolution(each).output_layer] == ["rigl", "snfs", "mest", "gse", "granet"]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("output_layer", [False, True])
def test_a_fixed_output_layer_keeps_its_connections(name, output_layer):
    start = ts.SparseMLP((20, 30, 3), epsilon=2.0, seed=0)
    trainer, _ = trained(quick(name, output_layer=output_layer), sizes=(20, 30, 3), epsilon=2.0)
    changed = [
        not np.array_equal(a.connectivity.indices, b.connectivity.indices)
        for a, b in zip(start.layers, trainer.net.layers, strict=True)
    ]
    assert changed == [True, output_layer]


@pytest.mark.parametrize("name", METHODS)
def test_a_network_of_one_layer_evolves(name):
    """With its output layer, the only one there is."""
    start = ts.SparseMLP((20, 3), epsilon=1.5, seed=0)
    for output_layer in (False, True):
        trainer, history = trained(quick(name, output_layer=output_layer), sizes=(20, 3), epsilon=1.5)
        (layer,) = trainer.net.layers
        check_invariants(layer.connectivity)
        same = np.array_equal(layer.connectivity.indices, start.layers[0].connectivity.indices)
        assert same != output_layer
        assert history.records[-1]["loss"] < history.records[0]["loss"]


@pytest.mark.parametrize("until", [None, 50, 0.5])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_an_interval_in_updates_and_an_end(name, until):
    kind, default = type(make_evolution(name)), make_evolution(name).schedule
    schedule = kind(every_updates=7, until=until).schedule
    assert (schedule.fraction, schedule.decay) == (default.fraction, default.decay)
    last = {None: default.stop * 100, 50: 50, 0.5: 50}[until]
    assert [done for done in range(101) if schedule.due(done, 1, 100)] == [
        done for done in range(7, 100, 7) if done <= last
    ]
    with pytest.raises(ts.InputError, match="every_updates must be at least 1"):
        kind(every_updates=0)


def test_granet_until_ends_the_fall_of_the_density_too():
    assert ts.GraNet(final=0.25, until=50).density.target(100, 0.5, 100) == 25


@pytest.mark.parametrize("name", METHODS)
def test_training_each_method_keeps_invariants_and_learns(name):
    start = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    trainer, history = trained(quick(name), optimizer=ts.Adam(0.01))
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        check_invariants(layer.connectivity)
        assert len(layer.values) == layer.n_connections
        assert all(len(slot) == layer.n_connections for slot in optimizer_state.weight)
    if name == "granet":
        assert trainer.net.n_connections == pytest.approx(start.n_connections / 2, rel=0.1)
    else:
        assert trainer.net.n_connections == start.n_connections
    changed = any(
        not np.array_equal(a.connectivity.indices, b.connectivity.indices)
        for a, b in zip(start.layers, trainer.net.layers, strict=True)
    )
    assert changed
    assert history.records[-1]["loss"] < history.records[0]["loss"]


@pytest.mark.parametrize("name", METHODS)
def test_training_any_threads_gives_the_same_bits(name):
    one, two = (trained(quick(name), threads=t)[0].net for t in (1, 3))
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.connectivity.indices.tobytes() == b.connectivity.indices.tobytes()
        assert a.values.tobytes() == b.values.tobytes()


@pytest.mark.parametrize("epsilon", [0.05, 100.0])
@pytest.mark.parametrize("name", METHODS)
def test_training_nearly_empty_and_full_layers_keep_invariants(name, epsilon):
    trainer, _ = trained(quick(name), epsilon=epsilon)
    for layer in trainer.net.layers:
        check_invariants(layer.connectivity)


@pytest.mark.parametrize("method", [ts.RigL(fraction=0.5), ts.GSE(fraction=0.5), ts.SNFS(fraction=0.5)])
def test_evolve_full_layer_keeps_its_weights(method):
    """Its only empty coordinates are those just emptied: all that was removed is chosen again."""
    X, y = problem()
    net = ts.SparseMLP((20, 10, 3), epsilon=100.0, seed=0)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=method, seed=0)
    trainer.step(X, y)
    weights = [layer.values.copy() for layer in net.layers]
    momenta = [optimizer_state.weight[0].copy() for optimizer_state in trainer.optimizer_state]
    assert net.density == 1
    assert trainer.evolve(X, y) == 0
    for layer, optimizer_state, weight, momentum in zip(
        net.layers, trainer.optimizer_state, weights, momenta, strict=True
    ):
        np.testing.assert_array_equal(layer.values, weight)
        np.testing.assert_array_equal(optimizer_state.weight[0], momentum)
        assert np.all(weight)


def test_output_layer_is_a_truth_value():
    for wrong in ("yes", None, 1):
        with pytest.raises(ts.InputError, match="output_layer must be True or False, not"):
            ts.SET(output_layer=wrong)
