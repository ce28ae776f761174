"""What callbacks remember, as JSON and arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.callback_state import Kept, split


def test_states_come_back_from_json_and_arrays():
    states = [{"best": 0.5, "names": ["a"], "x": np.arange(3)}, {}, {"x": np.ones(2, bool), "y.z": np.zeros((2, 2))}]
    entries, arrays = Kept(["A", "B", "A"], states).to_json()
    back = Kept.from_json(json.loads(json.dumps(entries)), arrays)
    assert back.kinds == ["A", "B", "A"]
    for found, wanted in zip(back.states, states, strict=True):
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("entries", [None, {}, [3], [{"kind": "A"}], [{"kind": 1, "values": {}}]])
def test_damaged_states_are_refused(entries):
    with pytest.raises(ts.InputError, match="callbacks must list"):
        Kept.from_json(entries, {})


def test_other_callbacks_are_refused_unless_nothing_is_known():
    with pytest.raises(ts.InputError, match="the callbacks A, B, but fit was given B, A"):
        Kept(["A", "B"], [{}, {}]).check(["B", "A"])
    with pytest.raises(ts.InputError, match="the callbacks none, but fit was given A"):
        Kept().check(["A"])
    Kept(unknown=True).check(["A"])


@pytest.mark.parametrize("value", [np.zeros(1, complex), np.array(["a"]), np.array([None]), {1, 2}, b"a", object()])
def test_what_cannot_be_kept_is_refused(value):
    with pytest.raises(ts.InputError, match=r"^the state of A: 'x' "):
        split({"x": value}, "the state of A")
