"""Recipe: one value for the command line, the estimators and workers."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.recipe import DataSize, Recipe
from trulysparse.recipe.recipe import EARLIER

# Every field with a value that is not its default.
OTHER = {
    "scale": "minmax",
    "hidden": (24, 12),
    "epsilon": 3.0,
    "density": (0.5, 0.25, 1.0),
    "densities": "uniform",
    "output_density": 0.75,
    "connectivity": "fixed_fan_in",
    "activation": "leaky_relu",
    "alpha": 0.2,
    "init": "xavier_uniform",
    "fan": "sparse",
    "balance": False,
    "storage": "compact",
    "precision": "bfloat16",
    "on_disk": True,
    "evolution": "deepr",
    "zeta": 0.1,
    "evolve_until": 0.5,
    "fresh": "init",
    "percolate": True,
    "importance_pruning": 10.0,
    "importance_start": 2,
    "importance_every": 3,
    "n_estimators": 3,
    "epochs": 4,
    "batch_size": 16,
    "micro_batch_size": 8,
    "max_gradient_norm": 0.5,
    "recompute": 2,
    "loss": "huber",
    "optimizer": "adam",
    "learning_rate": 0.05,
    "layer_rates": "supar",
    "base_fan_in": 20.0,
    "rate_exponent": 0.5,
    "schedule": "cosine",
    "warmup": 1.0,
    "momentum": 0.5,
    "momentum_precision": "float32",
    "nesterov": True,
    "weight_decay": 0.001,
    "weight_decay_mode": "direct",
    "fresh_state": "typical",
    "dropout": 0.1,
    "input_noise": 0.2,
    "input_dropout": 0.3,
    "input_masking": 0.4,
    "input_swap": 0.5,
    "redraw_input_noise": False,
    "skip": True,
    "skip_density": 0.4,
    "augmentation": "rotation=10,flip",
    "image_shape": (2, 3),
    "patience": 7,
    "seed": 3,
    "workers": 2,
    "parallel": "wassp",
    "phase1_epochs": 1,
    "backend": "ray",
}


# ---- what it makes ----


def test_network_has_what_the_recipe_says():
    names = ("hidden", "epsilon", "activation", "alpha", "init", "fan", "balance", "seed", "connectivity")
    net = Recipe(**{name: OTHER[name] for name in names}).network(5, 3, threads=1)
    assert (net.layer_sizes, net.epsilon, net.seed) == ((5, 24, 12, 3), 3.0, 3)
    assert net.activation == ts.LeakyReLU(0.2)
    assert net.init == ts.WeightInit("xavier_uniform", "sparse", False)
    degrees = np.diff(net.layers[0].connectivity.by_output.ptr)
    assert degrees.max() - degrees.min() <= 1
    dense = Recipe(hidden=(24, 12), density=0.5).network(5, 3, threads=1)
    assert dense.density == pytest.approx(0.5, abs=0.02)
    sizes = {"hidden": (24, 12), "output_density": 1.0}
    for density, densities, counts in [((0.5, 0.25, 1.0), "erk", [60, 72, 36]), (0.25, "uniform", [30, 72, 36])]:
        uniform = {**sizes, "output_density": None} if isinstance(density, tuple) else sizes
        net = Recipe(density=density, densities=densities, **uniform).network(5, 3, threads=1)
        assert [layer.n_connections for layer in net.layers] == counts
    compact = Recipe(hidden=(24, 12), storage="compact", precision="bfloat16").network(5, 3, threads=1)
    assert (compact.storage_config.kind, compact.storage_config.weights) == ("compact", "bfloat16")


def test_trainer_has_what_the_recipe_says():
    names = ("batch_size", "micro_batch_size", "recompute", "dropout", "input_noise", "input_masking", "seed")
    recipe = Recipe(hidden=(8,), **{name: OTHER[name] for name in names})
    trainer = recipe.trainer(recipe.network(5, 3), threads=1)
    assert {name: getattr(trainer, name) for name in names} == {name: OTHER[name] for name in names}
    assert isinstance(trainer.evolution, ts.SET)
    assert trainer.threads == 1


def test_plan_request_is_of_the_recipe():
    request = Recipe(hidden=(6,), momentum=0.5, epsilon=2.0, micro_batch_size=8, recompute=2).plan_request((4, 6, 2))
    assert (request.layer_sizes, request.epsilon, request.batch_size, request.recompute) == ((4, 6, 2), 2.0, 128, 2)
    assert request.micro_batch_size == 8
    assert (request.storage, request.weights, request.signals) == ("indexed", "float32", "float32")
    assert request.optimizer == ts.SGD(momentum=0.5)
    request = Recipe(hidden=(6,), density=0.5, densities="uniform", output_density=1.0).plan_request((4, 6, 2))
    assert (request.epsilon, request.counts) == (None, [12, 12])
    assert Recipe(hidden=(6,), density=(0.5, 0.25)).plan_request((4, 6, 2)).counts == [12, 3]


# ---- JSON ----


@pytest.mark.parametrize("changes", [{}, OTHER])
def test_json_gives_the_recipe_back(changes):
    recipe = Recipe(**changes)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert set(recipe.to_json()) == set(OTHER)
    assert recipe == Recipe() or all(OTHER[each.name] != each.default for each in fields(Recipe))


@pytest.mark.parametrize(
    "changes", [{"optimizer": ts.SGD()}, {"evolution": ts.SET()}, {"parallel": ts.WASAP()}, {"activation": ts.ReLU()}]
)
def test_objects_are_not_written_as_json(changes):
    with pytest.raises(ts.InputError, match=f"{next(iter(changes))} must be a name to be written as JSON"):
        Recipe(**changes).to_json()


def test_json_of_another_version_loads():
    assert Recipe.from_json({"epochs": 3, "unknown": [1]}) == Recipe(epochs=3, **EARLIER)


@pytest.mark.parametrize("values", [{"epochs": "3"}, {"hidden": 5}, {"optimizer": {}}, {"alpha": "x"}, {"seed": True}])
def test_json_of_other_types_is_refused(values):
    with pytest.raises(ValueError, match=f"{next(iter(values))} cannot be"):
        Recipe.from_json(values)


@pytest.mark.parametrize(
    "y, kind",
    [
        (np.arange(40) % 3, "classification"),
        (np.array(["a", "b"] * 20), "classification"),
        (np.linspace(0, 1, 40), "regression"),
        (np.ones((40, 3), int), "multilabel"),
        (np.ones((40, 3)), "regression"),
        ([0, 1] * 20, "classification"),
    ],
)
def test_for_data_is_what_the_rule_says(y, kind):
    X = np.zeros((40, 7))
    assert Recipe.for_data(X, y, momentum=0.5) == Recipe(momentum=0.5).resolved(DataSize(40, 7, kind), {"momentum"})
    with pytest.raises(ts.InputError, match="X must have shape"):
        Recipe.for_data(np.zeros(40), y)


def test_a_recipe_for_data_trains(rng):
    X = rng.normal(size=(60, 30))
    y = (X[:, 0] > 0).astype(int)
    recipe = Recipe.for_data(X, y, hidden=(20,), epochs=20, connectivity="erdos_renyi")
    net = recipe.network(30, 2, threads=1)
    history = recipe.trainer(net).fit(X, y, epochs=recipe.epochs)
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(ts.InputError, match="connectivity='f_score' needs scores"):
        Recipe(connectivity="f_score").network(30, 2)
