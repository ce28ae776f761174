"""Recipe: one value for the command line, the estimators and workers, and the defaults that all of them share."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields, replace
from typing import get_args

import numpy as np
import pytest
import typer

import trulysparse as ts
from trulysparse.cli import app
from trulysparse.cli._settings import CommandRecipe, Settings
from trulysparse.cli.train import train
from trulysparse.recipe import Recipe
from trulysparse.training.options import TrainingOptions

# Every field with a value that is not its default.
OTHER = {
    "scale": "minmax",
    "hidden": (24, 12),
    "epsilon": 3.0,
    "density": 0.5,
    "skip": True,
    "skip_density": 0.4,
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
    "importance_pruning": 10.0,
    "importance_start": 2,
    "importance_every": 3,
    "epochs": 4,
    "batch_size": 16,
    "micro_batch_size": 8,
    "max_gradient_norm": 0.5,
    "recompute": 2,
    "loss": "huber",
    "optimizer": "adam",
    "learning_rate": 0.05,
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
    "patience": 7,
    "seed": 3,
    "workers": 2,
    "parallel": "wassp",
    "phase1_epochs": 1,
    "backend": "ray",
}


def defaults(function):
    """The defaults of a function's parameters, where there are any."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def command_defaults(name):
    """The defaults of a command's options, as the terminal has them."""
    options = typer.main.get_command(app).commands[name].params
    return {option.name: option.default for option in options}


def as_text(default):
    return ",".join(map(str, default)) if isinstance(default, tuple) else default


# ---- one default for everyone ----


def test_options_of_train_have_the_defaults_of_the_recipe():
    given = command_defaults("train")
    for each in fields(Settings):
        if each.default is not MISSING:
            assert given[each.name] == as_text(each.default), each.name


def test_options_of_train_have_the_names_types_and_helps_of_the_recipe():
    options = {option.name: option for option in typer.main.get_command(app).commands["train"].params}
    parameters = inspect.signature(train).parameters
    for each in fields(Recipe):
        assert options[each.name].help == each.metadata["help"]
        assert f"--{each.name.replace('_', '-')}" in options[each.name].opts
        kind = get_args(parameters[each.name].annotation)[0]
        if isinstance(each.default, tuple):
            assert kind is str
        elif each.default is None:
            assert kind in (float | None, int | None, str | None), each.name
        else:
            assert kind is type(each.default), each.name


def test_options_of_plan_have_the_defaults_of_the_recipe():
    given = command_defaults("plan")
    shared = {each.name: each.default for each in fields(Recipe) if each.name in given}
    assert {"epsilon", "batch_size", "storage", "precision", "momentum", "momentum_precision"} <= set(shared)
    assert {name: given[name] for name in shared} == shared


def test_plan_request_is_of_the_recipe():
    request = Recipe(hidden=(6,), momentum=0.5, epsilon=2.0, micro_batch_size=8, recompute=2).plan_request((4, 6, 2))
    assert (request.layer_sizes, request.epsilon, request.batch_size, request.recompute) == ((4, 6, 2), 2.0, 128, 2)
    assert request.micro_batch_size == 8
    assert (request.storage, request.weights, request.signals) == ("indexed", "float32", "float32")
    assert request.optimizer == ts.SGD(momentum=0.5)
    with pytest.raises(ts.InputError, match="density has no plan"):
        Recipe(density=0.1).plan_request((4, 6, 2))


@pytest.mark.parametrize("estimator", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
def test_estimators_have_the_defaults_of_the_recipe_but_for_the_documented_ones(estimator):
    own = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": "auto", "epochs": 100, "patience": 10}
    given = defaults(estimator)
    given.pop("loss", None)  # has the names of scikit-learn
    shared = {each.name: each.default for each in fields(Recipe) if each.name in given}
    assert {name: given[name] for name in shared if given[name] != shared[name]} == own
    assert given["hidden_layer_sizes"] == (100, 100)
    table = estimator.__doc__.split("Notes")[1]
    for name, value in own.items():
        assert f"    {name} " in table
        assert str(value) in table


def test_parts_have_the_defaults_of_the_recipe():
    recipe = Recipe()
    assert recipe.make_optimizer() == ts.SGD()
    assert recipe.make_activation() == ts.AllReLU()
    made = recipe.training_options()
    assert replace(made, evolution=None) == TrainingOptions()
    network = defaults(ts.SparseMLP)
    for name in ("epsilon", "density", "connectivity", "activation", "init", "fan", "balance", "storage", "seed"):
        assert network[name] == getattr(recipe, name), name
    trainer = defaults(ts.Trainer)
    for name in ("batch_size", "micro_batch_size", "recompute", "dropout", "seed"):
        assert trainer[name] == getattr(recipe, name), name
    assert defaults(ts.SET)["zeta"] == recipe.zeta
    assert defaults(ts.ImportancePruning)["start"] == recipe.importance_start
    assert defaults(ts.ImportancePruning)["every"] == recipe.importance_every


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
    compact = Recipe(hidden=(24, 12), storage="compact", precision="bfloat16").network(5, 3, threads=1)
    assert (compact.storage_config.kind, compact.storage_config.weights) == ("compact", "bfloat16")


def test_trainer_has_what_the_recipe_says():
    names = ("batch_size", "micro_batch_size", "recompute", "dropout", "seed")
    recipe = Recipe(hidden=(8,), **{name: OTHER[name] for name in names})
    trainer = recipe.trainer(recipe.network(5, 3), threads=1)
    assert {name: getattr(trainer, name) for name in names} == {name: OTHER[name] for name in names}
    assert isinstance(trainer.evolution, ts.SET)
    assert trainer.threads == 1


@pytest.mark.parametrize(
    "changes, optimizer",
    [
        ({"learning_rate": 0.05, "momentum": 0.5, "nesterov": True}, ts.SGD(0.05, 0.5, True)),
        ({"weight_decay": 0.01, "weight_decay_mode": "direct"}, ts.SGD(weight_decay=0.01, weight_decay_mode="direct")),
        ({"weight_decay": 0.01}, ts.SGD(weight_decay=0.01, weight_decay_mode="l2")),
        ({"optimizer": "adam", "weight_decay": 0.01}, ts.Adam(0.01, weight_decay=0.01, weight_decay_mode="decoupled")),
        ({"schedule": "cosine", "warmup": 2.0}, ts.SGD(ts.CosineRate(0.01, warmup=2.0))),
        ({"optimizer": "adam", "momentum_precision": "float32"}, ts.Adam(0.01, state="float32")),
        ({"optimizer": "adam", "fresh_state": "typical"}, ts.Adam(0.01, fresh_state="typical")),
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


def test_callbacks_are_those_asked_for():
    assert Recipe().make_callbacks() == []
    pruning, stopping = Recipe(
        importance_pruning=10.0, importance_start=2, importance_every=3, patience=7
    ).make_callbacks()
    assert (pruning.percentile, pruning.start, pruning.every) == (10.0, 2, 3)
    assert (stopping.monitor, stopping.patience) == ("loss", 7)


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
    assert Recipe.from_json({"epochs": 3, "unknown": [1]}) == Recipe(epochs=3)


@pytest.mark.parametrize("values", [{"epochs": "3"}, {"hidden": 5}, {"optimizer": {}}, {"alpha": "x"}, {"seed": True}])
def test_json_of_other_types_is_refused(values):
    with pytest.raises(ValueError, match=f"{next(iter(values))} cannot be"):
        Recipe.from_json(values)


# ---- checks ----

WRONG = [
    ({"hidden": (5, 0)}, "{hidden} must be at least 1"),
    ({"epochs": 0}, "{epochs} must be at least 1"),
    ({"seed": -1}, "{seed} must be at least 0"),
    ({"workers": 0}, "{workers} must be at least 1"),
    ({"scale": "log"}, "{scale} must be one of"),
    ({"backend": "mpi"}, "{backend} must be one of"),
    ({"parallel": "mpi"}, "{parallel} must be one of wasap, wassp"),
    ({"optimizer": "lbfgs"}, "{optimizer} must be one of sgd, adam"),
    ({"schedule": "step"}, "{schedule} must be one of"),
    ({"evolution": "some"}, "{evolution} must be one of"),
    ({"patience": 0}, "patience must be at least 1"),
    ({"init": "zero"}, "init must be one of"),
    ({"storage": "dense"}, "storage must be one of"),
    ({"precision": "bfloat16"}, "needs storage='compact'"),
    ({"importance_pruning": 10.0, "storage": "compact"}, "{importance_pruning} needs"),
    ({"importance_pruning": 10.0}, "{importance_pruning} would begin after epoch 200 only"),
]


@pytest.mark.parametrize("kind", [Recipe, CommandRecipe])
@pytest.mark.parametrize("changes, message", WRONG)
def test_check_names_the_option_as_its_user_wrote_it(kind, changes, message):
    names = {each.name: each.name for each in fields(Recipe)}
    if kind is CommandRecipe:
        names = {name: f"--{name.replace('_', '-')}" for name in names}
    with pytest.raises(ts.InputError) as error:
        kind(**changes).check()
    assert message.format(**names) in str(error.value)


def test_check_spells_combinations_as_their_user_wrote_them():
    with pytest.raises(ts.InputError, match=r"^on_disk needs storage='compact'$"):
        Recipe(on_disk=True).check()
    with pytest.raises(ts.InputError, match=r"^--on-disk needs --storage compact$"):
        CommandRecipe(on_disk=True).check()


def test_option_without_effect_is_refused_where_it_was_given():
    recipe = Recipe(evolution="none", zeta=0.1)
    recipe.check()
    with pytest.raises(ts.InputError, match="zeta needs evolution='set'"):
        recipe.check({"zeta"})
