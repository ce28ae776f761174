"""Settings of a run on the grid."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest

from trulysparse.cli.grid._settings import GridSettings, spelled
from trulysparse.errors import InputError

OTHER = GridSettings(
    homes=17, agents="td3,self-consumption", density=0.2, hidden=(16, 8), tariff="peakfee", data="a b",
    feeder="landnetz", grid_limits="curtail", information="setpoint", market="netting", broadcast="feeder",
    curtailment=True, exchange="weekly", device="m4", electric_vehicles=True, heat_pumps=True, oracle=True,
    weeks="last quarter", train_homes=10, length=5,
    references=False, bounds=False, seed=3, seeds=2,
)  # fmt: skip


def test_settings_survive_json():
    text = json.dumps({**OTHER.to_json(), "kind": "grid", "threads": 2})  # as a file has it
    assert GridSettings.from_json(json.loads(text)) == OTHER


def test_the_command_repeats_the_settings():
    words = shlex.split(OTHER.command_line(Path("r")))
    assert words[:5] == ["trulysparse", "grid", "run", "--out", "r"]
    changed = [each.name for each in fields(OTHER) if getattr(OTHER, each.name) != each.default]
    assert len(changed) == len(fields(OTHER)) - 1  # all but csv
    for name in changed:
        value = getattr(OTHER, name)
        flag = f"--no-{name}" if value is False else spelled(name)
        assert flag in words
        if not isinstance(value, bool):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            assert words[words.index(flag) + 1] == text


def test_differing_settings_are_named_as_options():
    assert OTHER.differing(replace(OTHER, grid_limits="penalty", seed=0)) == ["--grid-limits", "--seed"]
    assert OTHER.differing(OTHER) == []


@pytest.mark.parametrize(
    "change, message",
    [
        ({"homes": 0}, "--homes must be at least 1"),
        ({"density": 0.0}, "--density"),
        ({"density": 1.5}, "--density"),
        ({"hidden": (0,)}, "--hidden"),
        ({"seed": -1}, "--seed"),
        ({"seeds": 0}, "--seeds"),
        ({"length": 0}, "--length"),
        ({"train_homes": 0}, "--train-homes"),
        ({"exchange": "yearly"}, "--exchange must be one of none, daily, weekly, monthly, not 'yearly'"),
        ({"data": "a", "csv": "b"}, "--data and --csv"),
        ({"grid_limits": "curtail"}, "--grid-limits curtail needs a --feeder"),
        ({"agents": " , "}, "--agents must name"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError, match=message):
        GridSettings(**change).check()
    GridSettings().check()


def test_names_and_seeds():
    settings = GridSettings(agents="td3, shared-es ,", seed=4, seeds=3)
    assert settings.names == ["td3", "shared-es"]
    assert list(settings.all_seeds) == [4, 5, 6]
