"""Which samples are held out."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.task.splits import folds, split


def test_each_sample_is_in_one_part_and_a_seed_gives_the_same_split():
    train, held = split(101, fraction=0.3, seed=4)
    assert sorted([*train, *held]) == list(range(101))
    assert len(held) == 30
    again = split(101, fraction=0.3, seed=4)
    np.testing.assert_array_equal(held, again[1])
    assert not np.array_equal(held, split(101, fraction=0.3, seed=5)[1])
    assert not np.array_equal(held, split(101, fraction=0.3, seed=4, purpose="validation")[1])


def test_classes_keep_their_shares():
    codes = np.repeat([0, 1, 2], [50, 30, 20]).astype(np.int32)
    _, held = split(100, fraction=0.2, seed=0, codes=codes)
    assert np.bincount(codes[held]).tolist() == [10, 6, 4]


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_one_sample_is_trained_on_and_the_others_keep_their_shares(seed):
    codes = np.repeat([0, 1, 2, 3], [60, 39, 1, 1]).astype(np.int32)
    _, held = split(101, fraction=0.2, seed=seed, codes=codes)
    assert np.bincount(codes[held], minlength=4).tolist() == [12, 8, 0, 0]


@pytest.mark.parametrize(("n_classes", "fraction"), [(10, 0.8), (10, 0.3), (2, 0.999), (12, 0.5)])
def test_every_class_keeps_a_sample_to_train_on(n_classes, fraction):
    codes = (np.arange(24) % n_classes).astype(np.int32)
    if fraction * 24 > 24 - n_classes:
        with pytest.raises(ts.InputError, match="leaves less than one for each of the"):
            split(24, fraction=fraction, seed=0, codes=codes)
        return
    for seed in range(10):
        train, held = split(24, fraction=fraction, seed=seed, codes=codes)
        assert set(codes[train]) == set(range(n_classes))
        assert sorted([*train, *held]) == list(range(24))
        assert len(held) == round(fraction * 24)


def test_a_share_near_one_leaves_something_to_train_on():
    for options in ({}, dict(order=np.arange(6)), dict(groups=np.arange(6) // 2)):
        train, held = split(6, fraction=0.999, seed=0, **options)
        assert len(train) == (2 if "groups" in options else 1)
        assert len(train) + len(held) == 6


def test_classes_of_one_sample_each_cannot_be_split():
    with pytest.raises(ts.InputError, match="each of the 4 classes has one sample only"):
        split(4, fraction=0.25, seed=0, codes=np.arange(4, dtype=np.int32))


def test_a_group_stays_in_one_part():
    groups = np.arange(120) // 4
    train, held = split(120, fraction=0.25, seed=1, groups=groups)
    assert not set(groups[train]) & set(groups[held])
    assert 0.15 < len(held) / 120 < 0.35
    for number, (train, held) in enumerate(folds(120, 5, seed=0, groups=groups)):
        assert not set(groups[train]) & set(groups[held]), number


def test_the_last_in_time_are_held_out(rng):
    times = rng.permutation(50)
    train, held = split(50, fraction=0.2, seed=0, order=times)
    assert times[train].max() < times[held].min()
    assert len(held) == 10
    for train, held in folds(50, 4, seed=0, order=times):
        assert times[train].max() < times[held].min()


@pytest.mark.parametrize("classes", [False, True])
def test_folds_hold_every_sample_out_once(classes):
    codes = (np.arange(60) % 3).astype(np.int32) if classes else None
    parts = folds(60, 5, seed=3, codes=codes)
    assert sorted(np.concatenate([held for _, held in parts])) == list(range(60))
    for train, held in parts:
        assert not set(train) & set(held)
        assert len(train) + len(held) == 60
        if codes is not None:
            assert np.bincount(codes[held]).tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(n_folds=7), "--cv must be at most the 6 samples, not 7"),
        (dict(n_folds=1), "--cv must be at least 2"),
        (dict(n_folds=3, codes=np.array([0, 0, 0, 0, 1, 1], np.int32)), "at most 2, the samples of the smallest class"),
        (dict(n_folds=3, groups=np.array([0, 0, 0, 1, 1, 1])), "at most the 2 groups"),
        (dict(n_folds=6, order=np.arange(6)), "less than the 6 samples"),
        (dict(n_folds=2, order=np.arange(6), groups=np.arange(6)), "--group and --time cannot be combined"),
        (dict(n_folds=2, groups=np.zeros(6)), "--group needs at least 2 groups"),
    ],
)
def test_folds_that_cannot_be_are_refused(options, match):
    with pytest.raises(ts.InputError, match=match):
        folds(6, seed=0, **options)


def test_one_sample_cannot_be_split():
    with pytest.raises(ts.InputError, match="at least 2 samples"):
        split(1, fraction=0.5, seed=0)
    with pytest.raises(ts.InputError, match="validation_fraction must lie in"):
        split(5, fraction=1.5, seed=0, name="validation_fraction")
