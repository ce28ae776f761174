"""The agents that a run trains."""

from __future__ import annotations

import pytest

from trulysparse.cli.grid._learners import Learner, learners_of, rules_asked_for
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError


def names(**settings):
    return [each.name for each in learners_of(GridSettings(**settings))]


def test_agents_of_all_seeds_then_dense_and_shared_ones_of_the_first():
    assert names(agents="td3,es", seed=5, seeds=2) == ["td3-5", "td3-6", "es-5", "es-6", "td3-dense-5", "es-shared-5"]


def test_references_are_left_out_where_asked_for_or_where_they_are_there():
    assert names(agents="es", references=False) == ["es-0"]
    assert names(agents="es,shared-es") == ["es-0", "es-shared-0", "es-dense-0"]
    assert names(agents="es", density=1.0) == ["es-dense-0", "es-dense-shared-0"]
    assert names(agents="self-consumption") == []


def test_labels_are_the_same_for_all_seeds():
    assert {each.label for each in learners_of(GridSettings(agents="dqn", seeds=3, references=False))} == {"dqn"}
    assert Learner("es", 2, 1.0, shared=True).label == "es, dense, shared"


def test_names_that_nothing_has_are_refused():
    known = ("no-control", "self-consumption")
    assert rules_asked_for(GridSettings(agents="es,self-consumption"), known) == ["self-consumption"]
    with pytest.raises(InputError, match=r"--agents must be of es, td3, dqn, shared-es.*self-consumption, not 'sac'"):
        rules_asked_for(GridSettings(agents="es,sac"), known)
