"""Methods of selection by name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from trulysparse.errors import InputError
from trulysparse.unsupervised.selection import METHODS, NAMES, QuickSelection, make_method


@pytest.mark.parametrize("name", NAMES)
def test_each_method_has_its_name_and_settings_that_cannot_change(name):
    made = make_method(name)
    assert made.name == name
    assert isinstance(made, METHODS[name])
    assert isinstance(made.needs_y, bool)
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(made)[0].name, 1)


def test_settings_that_are_none_stay_as_they_are():
    assert make_method("quickselection", epochs=7, epsilon=None) == QuickSelection(epochs=7)
    assert make_method(QuickSelection(zeta=0.1), epochs=7) == QuickSelection(zeta=0.1, epochs=7)


@pytest.mark.parametrize(
    "method, settings, words",
    [
        ("lasso", {}, "method must be one of quickselection, "),
        (3, {}, "method must be one of"),
        ("wast", {"accumulate": True}, "accumulate is no setting of method 'wast'"),
        ("quickselection", {"density": 0.1}, "density is no setting"),
        ("quickselection", {"epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_what_cannot_be_made_is_refused(method, settings, words):
    with pytest.raises(InputError, match=words):
        make_method(method, **settings)


def test_a_method_of_ones_own_is_taken_as_it_is():
    class Own:
        name, needs_y = "own", False

        def scores(self, data, **how):
            raise NotImplementedError

    own = Own()
    assert make_method(own) is own
