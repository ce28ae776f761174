"""Positions of a training as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.position import Position


def test_position_through_json_is_the_same():
    position = Position(3, 20, 4, 1.25, True, 2, 0.5, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert Position.from_json(json.loads(json.dumps(position.to_json()))) == position


def test_arrays_of_workers_go_beside_the_json():
    position = Position(2, parallel={"round": 0, "residual": np.arange(3.0)})
    values = json.loads(json.dumps(position.to_json()))
    assert values["parallel"] == {"round": 0}
    back = Position.from_json(values, position.arrays())
    assert back.parallel["round"] == 0
    np.testing.assert_array_equal(back.parallel["residual"], np.arange(3.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 0}, "position.epoch must be at least 1"),
        ({"epoch_start": -1}, "position.epoch_start must be at least 0"),
        ({"done": 1.5}, "position.done must be an integer"),
        ({"evolved_layers": "1"}, "position.evolved_layers must be an integer"),
        ({"total": float("nan")}, "position.total must lie in"),
        ({"seconds": None}, "position.seconds must be a number"),
        ({"evolved": 1}, "position.evolved and position.stop must be true or false"),
        ({"stop": 1}, "position.evolved and position.stop must be true or false"),
        ({"records": {}}, "position.records must be a list"),
        ({"parallel": []}, "position.parallel must be an object or null"),
        ({"records": [1]}, "position.records must list objects"),
        ({"more": 1}, "position must hold"),
    ],
)
def test_position_that_is_damaged_is_refused(change, message):
    with pytest.raises(ts.InputError, match=message):
        Position.from_json(Position().to_json() | change)


@pytest.mark.parametrize("values", [None, [], 3, "epoch"])
def test_position_that_is_no_object_is_refused(values):
    with pytest.raises(ts.InputError, match="position must hold"):
        Position.from_json(values)
