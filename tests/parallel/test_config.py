"""The settings of WASAP and WASSP: phases, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
)


def test_phases_divide_the_epochs():
    assert ts.WASAP().phases(10) == [((0, 7), (7, 10))]
    assert ts.WASAP(phase1_epochs=4).phases(10) == [((0, 4), (4, 10))]
    assert ts.WASAP(phase2_epochs=10).phases(10) == [((0, 0), (0, 10))]
    assert ts.WASAP(rounds=2).phases(20) == [((0, 7), (7, 10)), ((10, 17), (17, 20))]
    assert ts.WASAP().phases(1) == [((0, 1), (1, 1))]
    with pytest.raises(ts.InputError, match="must add up to epochs"):
        ts.WASAP(phase1_epochs=4, phase2_epochs=4).phases(10)
    with pytest.raises(ts.InputError, match="between 0 and epochs"):
        ts.WASAP(phase1_epochs=11).phases(10)
    with pytest.raises(ts.InputError, match="rounds must be at most"):
        ts.WASAP(rounds=4).phases(10)


def test_settings_that_cannot_work_are_refused():
    X, y = problem(4)
    with pytest.raises(ts.InputError, match="workers must be at most the 4 samples"):
        trainer_for(ts.WASAP(5)).fit(X, y, epochs=1)
    with pytest.raises(ts.InputError, match="evolution=RigL looks at the training data"):
        trainer_for(ts.WASAP(2), evolution=ts.RigL()).fit(X, y, epochs=2)
    for options in (
        {"workers": 0},
        {"rounds": 0},
        {"backend": "mpi"},
        {"workers": 3, "shards": 2},
        {"worker_timeout": 0},
    ):
        with pytest.raises(ts.InputError, match=next(reversed(options))):
            ts.WASAP(**options)
    with pytest.raises(ts.InputError, match="address is for workers on a Ray cluster"):
        ts.WASAP(address="here:6379")


@pytest.mark.parametrize("config", [ts.WASAP, ts.WASSP])
def test_patience_sets_worker_timeout_with_a_warning(config):
    with pytest.warns(DeprecationWarning, match="patience= is now worker_timeout=") as caught:
        assert config(patience=5).worker_timeout == 5
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="patience"), pytest.raises(ts.InputError, match="worker_timeout"):
        config(patience=0)


def test_replaced_config_keeps_worker_timeout(recwarn):
    assert replace(ts.WASSP(worker_timeout=5), data=None) == ts.WASSP(worker_timeout=5)
    assert not recwarn.list


@pytest.mark.parametrize("options", [{"staleness": "divide"}, {"delay_compensation": 0.1}])
def test_wassp_refuses_what_is_for_stale_gradients(options):
    (name,) = options
    with pytest.raises(ts.InputError, match=f"{name}=.* is for WASAP"):
        ts.WASSP(**options)


def test_staleness_aware_is_the_former_name_of_dividing_by_staleness():
    with pytest.warns(DeprecationWarning, match="is now staleness='divide'") as caught:
        config = ts.WASAP(4, staleness_aware=True)
    assert caught[0].filename == __file__
    assert config == ts.WASAP(4, staleness="divide")
    assert replace(config, data=None).staleness_rule == "divide"


def test_stale_gradients_are_seen_to_by_default():
    assert ts.WASAP().staleness_rule == "momentum"
    assert ts.WASSP().staleness_rule == "ignore"
    with pytest.raises(ts.InputError, match="staleness must be"):
        ts.WASAP(staleness="none")
    with pytest.raises(ts.InputError, match="delay_compensation"):
        ts.WASAP(delay_compensation=-1)
    with pytest.raises(ts.InputError, match="warmup_epochs"):
        ts.WASAP(warmup_epochs=-1)


def test_warmup_grows_with_workers():
    assert [ts.WASAP(n).warmup(20) for n in (1, 16, 31, 1000)] == [0, 1, 2, 4]
    assert ts.WASAP(16, warmup_epochs=3).warmup(20) == 3
    assert ts.WASAP(16, staleness="ignore").warmup(20) == 0
    assert ts.WASSP(16).warmup(20) == 0  # its own is that of a ScaledRate


def test_more_shards_than_samples_are_refused():
    with pytest.raises(ts.InputError, match="shards must be at most the 4 samples to train on, not 5"):
        ts.WASAP(2, shards=5).check(4, None, 1)
