"""What a recipe's names stand for."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.recipe import Recipe


@pytest.mark.parametrize(
    "changes, optimizer",
    [
        ({"learning_rate": 0.05, "momentum": 0.5, "nesterov": True}, ts.SGD(0.05, 0.5, True)),
        ({"weight_decay": 0.01, "weight_decay_mode": "direct"}, ts.SGD(weight_decay=0.01, weight_decay_mode="direct")),
        ({"weight_decay": 0.01}, ts.SGD(weight_decay=0.01, weight_decay_mode="l2")),
        ({"optimizer": "adam", "weight_decay": 0.01}, ts.Adam(0.001, weight_decay=0.01, weight_decay_mode="decoupled")),
        ({"schedule": "cosine", "warmup": 2.0}, ts.SGD(ts.CosineRate(0.01, warmup=2.0))),
        ({"optimizer": "adam", "momentum_precision": "float32"}, ts.Adam(state="float32")),
        ({"optimizer": "adam", "fresh_state": "typical"}, ts.Adam(fresh_state="typical")),
        ({"optimizer": ts.Adam(0.3), "learning_rate": 9.0}, ts.Adam(0.3)),
    ],
)
def test_optimizer_is_the_one_described(changes, optimizer):
    assert Recipe(**changes).make_optimizer() == optimizer


def test_optimizer_of_a_users_class_is_taken_as_it_is():
    class Fixed:
        n_slots = 0

        def rule(self, step, epoch, epochs):
            return ts.SGD(0.1, momentum=0.0).rule(step, epoch, epochs)

    optimizer = Fixed()
    recipe = Recipe(hidden=(8,), optimizer=optimizer)
    recipe.check()
    trainer = recipe.trainer(recipe.network(4, 2))
    assert trainer.optimizer is optimizer
    assert np.isfinite(trainer.step(np.ones((3, 4)), np.zeros(3, int)))
    with pytest.raises(ts.InputError, match="optimizer must be a name to be written as JSON"):
        recipe.to_json()
    for wrong, message in ((Fixed, r"write Fixed\(\)"), (3, "has no n_slots"), ("lion", "must be one of sgd, adam")):
        with pytest.raises(ts.InputError, match=message):
            Recipe(optimizer=wrong).check()


def test_evolution_is_the_one_described():
    assert Recipe(evolution="none").make_evolution() is None
    assert Recipe(evolution=None).make_evolution() is None
    method = ts.RigL()
    assert Recipe(evolution=method).make_evolution() is method
    assert Recipe(zeta=0.1).make_evolution().schedule == ts.SET(0.1).schedule
    assert Recipe(evolve_until=0.5).make_evolution().schedule == ts.SET(until=0.5).schedule
    assert Recipe(evolution="chts", zeta=0.1).make_evolution().schedule == ts.CHTs(0.1).schedule
    assert [Recipe(percolate=each).make_evolution().percolate for each in (True, False)] == [True, False]


@pytest.mark.parametrize(
    "changes, parallel",
    [
        ({}, None),
        ({"workers": 3}, ts.WASAP(3)),
        ({"workers": 3, "parallel": "wassp", "phase1_epochs": 2}, ts.WASSP(3, 2)),
        ({"parallel": ts.WASSP(4)}, ts.WASSP(4)),
        ({"workers": 2, "backend": "ray"}, ts.WASAP(2, backend="ray", address="here:1")),
    ],
)
def test_parallel_is_the_one_described(changes, parallel):
    address = "here:1" if "backend" in changes else None
    assert Recipe(**changes).make_parallel(address=address) == parallel


def test_augmentation_is_the_one_described():
    assert Recipe().make_augmentation() is None
    made = Recipe(augmentation="rotation=10,shift=0.1,flip", image_shape=(3, 32, 32)).make_augmentation()
    assert made == ts.ImageAugmentation((3, 32, 32), rotation=10, shift=0.1, flip=True)
    assert Recipe(augmentation=made).make_augmentation() is made
    recipe = Recipe(hidden=(8,), augmentation="flip", image_shape=(2, 3))
    assert recipe.trainer(recipe.network(6, 2)).augmentation == ts.ImageAugmentation((2, 3), flip=True)
    with pytest.raises(ts.InputError, match="augmentation needs the shape of an image"):
        Recipe(augmentation="flip").check()
    with pytest.raises(ts.InputError, match="image_shape needs augmentation"):
        Recipe(image_shape=(2, 3)).check({"image_shape"})
    with pytest.raises(ts.InputError, match="an image of 2 x 4 has 8 values, but the network has 6"):
        Recipe(hidden=(8,), augmentation="flip", image_shape=(2, 4)).trainer(recipe.network(6, 2))


def test_callbacks_are_those_asked_for():
    assert Recipe().make_callbacks() == []
    pruning, stopping = Recipe(
        importance_pruning=10.0, importance_start=2, importance_every=3, patience=7
    ).make_callbacks()
    assert (pruning.percentile, pruning.start, pruning.every) == (10.0, 2, 3)
    assert (stopping.monitor, stopping.patience) == ("loss", 7)
