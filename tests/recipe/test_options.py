"""The options of a recipe: defaults that the command line, the estimators and workers share."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, replace
from typing import get_args

import pytest
import typer

import trulysparse as ts
from trulysparse.cli import app
from trulysparse.cli._settings import Settings
from trulysparse.cli.train import train
from trulysparse.recipe import DataSize, Recipe
from trulysparse.training.options import TrainingOptions


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
            assert kind in (float | None, int | None, str | None, bool | None), each.name
        else:
            assert kind is type(each.default), each.name


def test_options_of_plan_have_the_defaults_of_the_recipe():
    given = command_defaults("plan")
    shared = {each.name: each.default for each in fields(Recipe) if each.name in given}
    assert {"epsilon", "batch_size", "storage", "precision", "momentum", "momentum_precision"} <= set(shared)
    assert {name: given[name] for name in shared} == shared


@pytest.mark.parametrize("estimator", [ts.SparseMLPClassifier, ts.SparseMLPRegressor])
def test_estimators_have_the_defaults_of_the_recipe_but_for_the_documented_ones(estimator):
    own = {"batch_size": "auto", "patience": 10}
    given = defaults(estimator)
    given.pop("loss", None)  # has the names of scikit-learn
    shared = {each.name: each.default for each in fields(Recipe) if each.name in given}
    assert {name: given[name] for name in shared if given[name] != shared[name]} == own
    assert given["hidden_layer_sizes"] is None
    table = estimator.__doc__.split("Notes\n")[1]
    for name, value in own.items():
        assert f"    {name} " in table
        assert str(value) in table, name


def test_parts_have_the_defaults_of_the_recipe():
    recipe = Recipe().resolved()
    assert recipe.make_optimizer() == ts.SGD()
    assert recipe.make_activation() == ts.AllReLU()
    made = recipe.training_options()
    assert replace(made, evolution=None) == TrainingOptions()
    network = defaults(ts.SparseMLP)
    assert ts.SparseMLP((4, 6, 2)).epsilon == recipe.epsilon
    names = "density densities output_density connectivity activation init fan balance storage seed"
    for name in names.split():
        assert network[name] == getattr(recipe, name), name
    trainer = defaults(ts.Trainer)
    for name in ("batch_size", "micro_batch_size", "recompute", "dropout", "seed"):
        assert trainer[name] == getattr(recipe, name), name
    assert defaults(ts.SET)["zeta"] == recipe.zeta
    assert defaults(ts.ImportancePruning)["start"] == recipe.importance_start
    assert defaults(ts.ImportancePruning)["every"] == recipe.importance_every


def test_a_recipe_is_resolved_once_and_keeps_what_was_given():
    recipe = Recipe(epochs=3, dropout=0.0, evolution=None, epsilon=5.0)
    assert recipe.is_open
    resolved = recipe.resolved(DataSize(60, 9000))
    assert not resolved.is_open
    assert resolved.resolved(DataSize(10**6, 5)) is resolved
    assert (resolved.epochs, resolved.dropout, resolved.evolution, resolved.epsilon) == (3, 0.0, None, 5.0)
    assert resolved.skip
    assert resolved.n_estimators > 1


def test_members_have_other_seeds_and_are_one_network_each():
    recipe = Recipe(seed=3, n_estimators=4).resolved()
    seeds = [recipe.member(number).seed for number in range(4)]
    assert seeds[0] == 3
    assert len(set(seeds)) == 4
    assert {recipe.member(number).n_estimators for number in range(4)} == {1}
