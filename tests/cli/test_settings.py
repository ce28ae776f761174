"""What a training of the command line depends on."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.cli._settings import CommandRecipe, Settings
from trulysparse.data.table import Table


def test_errors_spell_options_as_the_command_line_does():
    recipe = CommandRecipe()
    assert recipe.spelled("on_disk") == "--on-disk"
    assert recipe.spelled("storage", "compact") == "--storage compact"
    with pytest.raises(ts.InputError, match=r"^--on-disk needs --storage compact$"):
        CommandRecipe(on_disk=True).check()


def test_settings_survive_their_json():
    settings = Settings(data="digits", target="kind", header=False, test_size=0.3, checkpoint_every=7, hidden=(5, 4))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_layers_in_files_are_their_own_checkpoint():
    on_disk = dict(storage="compact", on_disk=True)
    Settings(data="digits", **on_disk, patience=3).check()
    with pytest.raises(ts.InputError, match=r"^--no-checkpoints cannot be combined with --on-disk"):
        Settings(data="digits", **on_disk, checkpoints=False).check()
    with pytest.raises(ts.InputError, match=r"^--keep-checkpoints cannot be combined with --on-disk"):
        Settings(data="digits", **on_disk).check({"keep_checkpoints"})


@pytest.mark.parametrize(
    "given, table, message",
    [
        ("target", dict(), "--target: 'd.npz' has no columns"),
        ("test_size", dict(X_test=np.ones((1, 1))), "--test-size: 'd.npz' has a test set of its own"),
        ("stream", dict(), "--stream: 'd.npz' is in memory as a whole"),
    ],
)
def test_option_without_effect_on_the_data_is_refused_where_the_user_wrote_it(given, table, message):
    settings = Settings(data="d.npz")
    held = Table(np.ones((2, 1)), np.array([0, 1]), **table)
    settings.check_data(held, ())
    with pytest.raises(ts.InputError, match=message):
        settings.check_data(held, {given})


def test_columns_that_are_streamed_are_taken_as_they_are():
    table = Table(np.ones((2, 1)), np.array([0, 1]), features=["a"])
    with pytest.raises(ts.InputError, match="--ignore cannot be combined with --stream"):
        Settings(data="d.parquet", stream=True).check_data(table, {"ignore"})


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"optimizer": "adam", "learning_rate": 0.001, "evolution": "none", "batch_size": 50}),
        ({"momentum": 0.5}, {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 50}),
        ({"zeta": 0.2}, {"evolution": "set", "optimizer": "adam"}),
        ({"micro_batch_size": 70}, {"batch_size": 70}),
        ({"learning_rate": 0.5, "evolution": "rigl", "batch_size": 9}, {"learning_rate": 0.5, "batch_size": 9}),
    ],
)
def test_what_depends_on_the_data_gives_way_to_options(kind, changes, expected):
    settings = Settings(data="d.csv", **changes)
    chosen = settings.for_task(kind, set(changes), 400, 30)
    assert {name: getattr(chosen, name) for name in expected} == expected
    assert {name: getattr(chosen, name) for name in changes} == changes
    assert chosen.for_task(kind, set(changes), 7000, 3) == chosen
