"""The rule by which defaults depend on the data."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.recipe import DataSize, Recipe
from trulysparse.recipe.defaults import FEW, FEW_SAMPLES, LARGE, few_batch_size, few_epochs


def values(recipe):
    return recipe.to_json() | {"hidden": recipe.hidden}


def test_many_samples_or_no_knowledge_mean_the_settings_for_large_data():
    for data in (None, DataSize(FEW_SAMPLES + 1, 20), DataSize(FEW_SAMPLES + 1, 20, "multilabel")):
        own = values(Recipe().resolved(data))
        assert {name: own[name] for name in LARGE} == LARGE
        assert own["learning_rate"] == 0.01


@pytest.mark.parametrize("data", [DataSize(60, 9000), DataSize(FEW_SAMPLES, 3), DataSize(40, 5, "multilabel")])
def test_few_samples_mean_several_networks_with_a_skip_layer(data):
    own = values(Recipe().resolved(data))
    assert {name: own[name] for name in FEW} == FEW
    assert own["batch_size"] == few_batch_size(data.n_samples)
    assert own["epochs"] == few_epochs(data.n_samples, own["batch_size"])
    assert own["learning_rate"] == 0.001


def test_a_regression_has_adam_and_an_end_of_evolution():
    own = Recipe().resolved(DataSize(10**6, 20, "regression"))
    assert (own.optimizer, own.learning_rate, own.evolve_until) == ("adam", 0.001, 0.75)
    own = Recipe().resolved(DataSize(200, 20, "regression"))
    assert (own.optimizer, own.learning_rate) == ("adam", 0.001)


def test_what_follows_from_options_that_were_given():
    data = DataSize(60, 90)
    assert Recipe(zeta=0.2).resolved(data, {"zeta"}).evolution == "set"
    assert Recipe(momentum=0.5).resolved(data, {"momentum"}).optimizer == "sgd"
    assert Recipe(momentum=0.5).resolved(data, {"momentum"}).learning_rate == 0.01
    assert Recipe(alpha=0.5).resolved(data).activation == "all_relu"
    assert Recipe(optimizer="sgd").resolved(data).learning_rate == 0.01
    assert Recipe(optimizer="adam").resolved().learning_rate == 0.001
    assert Recipe(skip_density=0.5).resolved().skip
    assert Recipe(batch_size=10).resolved(data).epochs == few_epochs(60, 10)
    asked_for = Recipe(hidden=(7,)).resolved(data)
    assert (asked_for.n_estimators, asked_for.skip, asked_for.activation) == (1, False, "relu")
    assert Recipe(hidden=(7,), n_estimators=2, skip=True).resolved(data).n_estimators == 2
    decay = Recipe(weight_decay=0.01).resolved(data)
    assert (decay.weight_decay, decay.weight_decay_mode) == (0.01, None)


@pytest.mark.parametrize("changes", [{"storage": "compact"}, {"workers": 2}, {"parallel": "wassp"}])
def test_networks_that_cannot_become_one_are_one(changes):
    own = Recipe(**changes).resolved(DataSize(60, 90))
    own.check()
    assert own.n_estimators == 1


def test_layers_in_files_have_no_skip_layer():
    own = Recipe(storage="compact", on_disk=True).resolved(DataSize(60, 90))
    own.check()
    assert (own.skip, own.connectivity) == (False, "erdos_renyi")


def test_the_first_of_more_samples_make_one_network_of_any_features():
    own = Recipe().resolved(DataSize(60, 90, whole=False))
    assert (own.n_estimators, own.connectivity) == (1, "erdos_renyi")


@pytest.mark.parametrize("n_samples", [1, 16, 63, 64, 500, 1000, 5000])
def test_batches_and_epochs_are_in_range(n_samples):
    batch = few_batch_size(n_samples)
    assert 16 <= batch <= 128
    assert 20 <= few_epochs(n_samples, batch) <= 100


def test_wrong_kind_is_refused():
    with pytest.raises(ts.InputError, match="kind must be classification"):
        DataSize(1, 1, "clustering")
