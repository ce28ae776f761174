"""The agents that a run trains."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from trulysparse.cli.grid._homes import make_homes
from trulysparse.cli.grid._learners import Learner, exchange_of, learners_of, make_training, rules_asked_for
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


def test_agents_exchange_weekly_where_homes_are_unseen():
    def homes(n_train, n_test):
        return SimpleNamespace(split=SimpleNamespace(train_homes=range(n_train), test_homes=range(n_test)))

    assert exchange_of(GridSettings(), homes(10, 7)) == "weekly"
    assert exchange_of(GridSettings(), homes(10, 0)) == "none"
    assert exchange_of(GridSettings(), homes(1, 3)) == "none"
    assert exchange_of(GridSettings(exchange="daily"), homes(10, 0)) == "daily"
    assert exchange_of(GridSettings(exchange="none"), homes(10, 7)) == "none"


def test_td3_learns_in_all_homes_where_they_are_coupled():
    settings = GridSettings(agents="td3", broadcast="community")
    with pytest.raises(InputError, match=r"--agents td3 learns in all homes .* give --train-homes 3"):
        make_training(learners_of(settings)[0], settings, make_homes(settings), 1)
