"""Optimizer state and a network that changes behind the trainer's back."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io import checkpoints
from trulysparse.optim import OptimizerState


def trained(rng, optimizer=None, *, steps=5, **options):
    net = ts.SparseMLP((20, 40, 30, 4), epsilon=4, seed=1)
    trainer = ts.Trainer(net, optimizer=optimizer or ts.SGD(0.05, 0.9), batch_size=16, **options)
    X, y = rng.standard_normal((48, 20)), rng.integers(0, 4, 48)
    for _ in range(steps):
        trainer.step(X, y)
    return trainer, X, y


def assert_fits(trainer):
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        assert all(len(slot) == layer.n_connections for slot in optimizer_state.weight)
        assert all(len(slot) == layer.n_out for slot in optimizer_state.bias)


USES = {
    "step": lambda trainer, X, y: trainer.step(X, y),
    "fit": lambda trainer, X, y: trainer.fit(X, y, epochs=2),
    "gradients": lambda trainer, X, y: trainer.gradients(X, y),
    "evolve": lambda trainer, X, y: trainer.evolve(),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("optimizer", [ts.SGD(0.05, 0.9), ts.SGD(0.05, 0), ts.Adam(0.01)])
def test_training_goes_on_after_pruning_without_slots(rng, use, optimizer):
    trainer, X, y = trained(rng, optimizer, evolution=ts.SET(0.3))
    sizes = trainer.net.layer_sizes
    ts.prune_neurons(trainer.net, 20)
    assert trainer.net.layer_sizes != sizes
    USES[use](trainer, X, y)
    assert_fits(trainer)
    assert np.isfinite(trainer.step(X, y))


@pytest.mark.parametrize("parallel", [ts.WASAP(2), ts.WASSP(2)])
def test_parallel_training_goes_on_after_pruning(rng, parallel):
    trainer, X, y = trained(rng, parallel=parallel)
    ts.prune_neurons(trainer.net, 20)
    trainer.fit(X, y, epochs=4)
    assert_fits(trainer)


def test_state_of_pruned_layers_is_zero_and_is_brought_along_on_request(rng):
    without, X, y = trained(rng)
    ts.prune_neurons(without.net, 20)
    assert not any(
        slot.any()
        for optimizer_state in without.optimizer_state
        for slot in (*optimizer_state.weight, *optimizer_state.bias)
    )
    brought, X, y = trained(rng)
    ts.prune_neurons(brought.net, 20, optimizer_state=brought.optimizer_state)
    assert all(optimizer_state.weight[0].any() for optimizer_state in brought.optimizer_state)
    assert_fits(brought)
    brought.step(X, y)


def test_steps_after_a_change_are_those_of_a_new_trainer(rng):
    """Layers of another network of the same sizes and counts: the old momentum must not act on them."""
    trainer, X, y = trained(rng)
    other = ts.SparseMLP((20, 40, 30, 4), epsilon=4, seed=9)
    trainer.net.layers = other.copy().layers
    fresh = ts.Trainer(other.copy(), optimizer=trainer.optimizer, batch_size=16)
    assert trainer.step(X, y) == fresh.step(X, y)
    for a, b in zip(trainer.net.layers, fresh.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_connections_replaced_in_place_lose_their_state(rng):
    trainer, X, y = trained(rng)
    layer, other = trainer.net.layers[1], ts.SparseMLP((20, 40, 30, 4), epsilon=4, seed=9).layers[1]
    layer.connectivity, layer.values, layer.bias = other.connectivity, other.values, other.bias
    assert not trainer.optimizer_state[1].weight[0].any()
    assert trainer.optimizer_state[0].weight[0].any()
    trainer.step(X, y)


def test_evolution_that_brings_state_along_keeps_it(rng):
    trainer, X, y = trained(rng)
    optimizer_state = trainer.optimizer_state
    ts.SET(0.3).evolve(trainer.net, optimizer_state, 5, 1)
    assert all(a is b for a, b in zip(trainer.optimizer_state, optimizer_state, strict=True))
    assert trainer.optimizer_state[0].weight[0].any()
    trainer.step(X, y)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
def test_copies_go_on_with_their_state_and_notice_changes(rng, twin_of):
    trainer, X, y = trained(rng)
    twin, changed = twin_of(trainer), twin_of(trainer)
    assert twin.step(X, y) == trainer.step(X, y)
    for a, b in zip(trainer.net.layers, twin.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    ts.prune_neurons(changed.net, 20)
    changed.step(X, y)
    assert_fits(changed)


def test_another_optimizer_begins_with_zero_state(rng):
    trainer, X, y = trained(rng)
    trainer.optimizer = ts.Adam(0.01)
    trainer.step(X, y)
    assert [len(optimizer_state.weight) for optimizer_state in trainer.optimizer_state] == [2, 2, 2]


def test_checkpoint_after_pruning_holds_what_fits(rng, tmp_path):
    trainer, X, y = trained(rng)
    ts.prune_neurons(trainer.net, 20)
    checkpoints.write(tmp_path / "c", trainer)
    other, _, _ = trained(rng, steps=0)
    checkpoints.read(tmp_path / "c", other)
    assert other.step(X, y) == trainer.step(X, y)


def swapped(net):
    net.layers[0], net.layers[1] = net.layers[1], net.layers[0]


def other_sizes(net):
    net.layers = ts.SparseMLP((20, 10, 30, 4)).layers


def tiled(net):
    net.layers = ts.SparseMLP((20, 40, 30, 4), epsilon=4, storage="compact").layers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swapped, r"layers\[0\] connects 40 x 30 neurons, not 20 x 40"),
        (other_sizes, r"layers\[0\] connects 20 x 10 neurons, not 20 x 40"),
        (tiled, r"layers\[0\] is not stored as storage='indexed' says"),
    ],
)
@pytest.mark.parametrize("use", USES)
def test_layers_that_do_not_go_together_are_refused(rng, change, message, use):
    trainer, X, y = trained(rng, evolution=ts.SET())
    change(trainer.net)
    with pytest.raises(ts.InputError, match=message):
        USES[use](trainer, X, y)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda optimizer_state: [], "optimizer_state must hold optimizer state of each of the 3 layers, not of 0"),
        (lambda optimizer_state: optimizer_state[:2], "each of the 3 layers, not of 2"),
        (
            lambda optimizer_state: optimizer_state[::-1],
            r"optimizer_state\[0\] must hold 1 times float32 values along \d+ connections",
        ),
        (lambda optimizer_state: [*optimizer_state[:2], OptimizerState([], [])], r"optimizer_state\[2\] must hold"),
        (lambda optimizer_state: [*optimizer_state[:2], None], r"optimizer_state\[2\] must hold"),
        (
            lambda optimizer_state: [
                *optimizer_state[:2],
                OptimizerState([s.astype("f8") for s in optimizer_state[2].weight], optimizer_state[2].bias),
            ],
            r"optimizer_state\[2\]",
        ),
    ],
)
def test_wrong_slots_are_refused(rng, wrong, message):
    trainer, _, _ = trained(rng)
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(trainer.net, optimizer=trainer.optimizer, optimizer_state=wrong(trainer.optimizer_state))
    with pytest.raises(ts.InputError, match=message):
        trainer.set_optimizer_state(wrong(trainer.optimizer_state))


def test_pruning_refuses_slots_of_another_network(rng):
    trainer, _, _ = trained(rng)
    with pytest.raises(ts.InputError, match="optimizer_state must hold optimizer state of each of the 3 layers"):
        ts.prune_neurons(trainer.net, 20, optimizer_state=trainer.optimizer_state[:1])
