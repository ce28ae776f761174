"""Which options of a recipe are refused."""

from __future__ import annotations

from dataclasses import fields

import pytest

import trulysparse as ts
from trulysparse.cli._settings import CommandRecipe
from trulysparse.recipe import Recipe

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
    ({"input_masking": 1.0}, "{input_masking} must lie in [0, 1)"),
    ({"input_swap": -0.5}, "{input_swap} must lie in [0, 1]"),
    ({"input_masking": 0.1, "input_dropout": 0.1}, "{input_masking} cannot be combined with {input_dropout}"),
    ({"input_swap": 0.1, "redraw_input_noise": False}, "{input_swap} needs {redraw_input_noise}, as others"),
    ({"redraw_input_noise": False}, "{redraw_input_noise} is about noise of the inputs: give {input_noise} too"),
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


def test_percolate_goes_with_methods_that_can():
    Recipe(percolate=True).check({"percolate"})
    with pytest.raises(ts.InputError, match="percolate cannot be combined with evolution 'none'"):
        Recipe(percolate=True, evolution="none").check({"percolate"})
    with pytest.raises(ts.InputError, match="percolate is a setting of the evolution object"):
        Recipe(percolate=True, evolution=ts.SET()).check({"percolate"})
    Recipe(evolution="chts", zeta=0.1, evolve_until=0.5).check({"zeta", "evolve_until"})
    with pytest.raises(ts.InputError, match="zeta needs evolution='set', or one of chts"):
        Recipe(evolution="rigl", zeta=0.1).check({"zeta"})
