"""Presets: plain values of a recipe's fields, which go together, and which a user's own values override."""

from __future__ import annotations

from dataclasses import fields

import pytest

import trulysparse as ts
from trulysparse.recipe import Recipe
from trulysparse.recipe.options import RecipeOptions
from trulysparse.recipe.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_recipe_that_can_be_trained(name):
    values = preset(name).values
    recipe = Recipe.preset(name)
    recipe.check(given=set(values))  # none is without effect
    assert {key: getattr(recipe, key) for key in values} == dict(values)
    defaults = {each.name: each.default for each in fields(RecipeOptions)}
    assert all(defaults[key] != value for key, value in values.items())
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert preset(name).about


def test_values_of_the_user_override_those_of_a_preset():
    name = next(iter(PRESETS))
    assert Recipe.preset(name, epochs=3, hidden=(5,)).hidden == (5,)
    assert Recipe.preset(name, epochs=3).epochs == 3
    others = preset(name).others({"epochs", "seed"})
    assert set(others) == set(preset(name).values) - {"epochs"}


def test_unknown_presets_are_refused():
    with pytest.raises(ts.InputError, match=r"--preset must be one of fashion-mnist-5min, .* not 'best'"):
        preset("best", "--preset")
