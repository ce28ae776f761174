"""Parameters in files: what goes in comes out, and what cannot is named."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.evolution import grow, prune
from trulysparse.io.parameters import _PUBLIC, allow, decoded, encoded


def through_json(**parameters):
    return decoded(json.loads(json.dumps(encoded(parameters))))


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, "set", (500, 100), [1, 2], (), float("inf"), ((1,), [2.0]), {"array": 1}],
    ids=repr,
)
def test_plain_values(value):
    if isinstance(value, dict):
        with pytest.raises(ts.InputError, match="a cannot be kept in a file: it must be a plain value or an object of"):
            encoded({"a": value})
        return
    back = through_json(a=value)["a"]
    assert back == value
    assert type(back) is type(value)


def test_numbers_of_numpy():
    back = through_json(a=np.float32(0.5), b=np.int64(3), c=np.arange(3, dtype=np.int16))
    assert (back["a"], back["b"]) == (0.5, 3)
    assert back["c"].dtype == np.int16
    assert back["c"].tolist() == [0, 1, 2]


def test_a_random_state_goes_on_where_it_was():
    state = np.random.RandomState(3)
    state.normal(size=5)  # leaves one number over
    back = through_json(random_state=state)["random_state"]
    np.testing.assert_array_equal(back.normal(size=9), state.normal(size=9))


@pytest.mark.parametrize(
    "value",
    [
        ts.SGD(ts.CosineRate(0.1), momentum=0.5),
        ts.Adam(0.01),
        ts.AllReLU(0.5),
        ts.Huber(2.0),
        ts.WeightInit("he_uniform", "sparse", True),
        ts.SuPar(),
    ],
    ids=lambda v: type(v).__name__,
)
def test_objects_that_are_their_fields(value):
    assert through_json(a=value)["a"] == value


@pytest.mark.parametrize(
    "value",
    [
        ts.SET(0.2, output_layer=True),
        ts.RigL(),
        ts.DSR(),
        ts.CHTs(zeta=0.4, removal="ri"),
        ts.SET(density=ts.SigmoidDensity(0.05)),
        ts.Static(),
    ],
    ids=lambda v: type(v).__name__,
)
def test_methods_of_evolution(value):
    back = through_json(a=value)["a"]
    assert type(back) is type(value)
    for name, own in vars(value).items():
        if name in ("zeta", "fresh", "output_layer", "percolate", "density", "schedule"):
            assert getattr(back, name) == own


def test_every_public_object_of_defaults():
    """Those that can be made without arguments."""
    for kind in _PUBLIC:
        try:
            value = kind()
        except (TypeError, ts.InputError):
            continue
        assert type(through_json(a=value)["a"]) is kind


def test_what_cannot_be_kept():
    rule = ts.Evolution(prune.magnitude, grow.uniform, ts.Schedule(0.3, every_epochs=1))
    for value in (rule, lambda: 0, object(), np.array([object()])):
        with pytest.raises(ts.InputError, match="evolution cannot be kept in a file"):
            encoded({"evolution": value})


def test_an_activation_of_ones_own_is_given_again():
    own = Softsign()
    kept = encoded({"activation": own})
    with pytest.raises(ts.InputError, match="activation was 'softsign', one of your own: load with activation="):
        decoded(kept)
    assert decoded(kept, own) == {"activation": own}


def test_an_unknown_object():
    with pytest.raises(ts.InputError, match="an object 'System', which this release does not know"):
        decoded({"a": {"object": "System", "arguments": ["rm"], "options": {}}})


def test_a_class_that_is_allowed():
    @dataclass(frozen=True)
    class Allowed:
        a: int = 1

    with pytest.raises(ts.InputError):
        encoded({"method": Allowed(2)})
    allow(Allowed)
    assert through_json(method=Allowed(2))["method"] == Allowed(2)
