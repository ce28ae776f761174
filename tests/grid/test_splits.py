"""Splits by home and by week."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.splits import WEEK, split_of

NAMES = [f"Building_{number}" for number in range(1, 18)]


def test_homes_and_weeks():
    split = split_of(NAMES, 8760)
    assert split.train_homes.tolist() == list(range(10))
    assert split.test_homes.tolist() == list(range(10, 17))
    assert [NAMES[home] for home in split.flagged] == ["Building_12", "Building_15"]
    for hour in range(8760):
        assert split.test_hours[hour] == (hour // WEEK % 4 == 3)
    assert split.test_weeks.tolist() == [WEEK * week for week in range(3, 52, 4)]
    assert sorted([*split.train_weeks, *split.test_weeks]) == [WEEK * week for week in range(52)]
    assert (split.train_hours == ~split.test_hours).all()


def test_clean_hours_see_nothing_of_a_test_week():
    split = split_of(NAMES, 8760)
    for hour in np.flatnonzero(split.clean_train_hours).tolist():
        assert not split.test_hours[max(0, hour - 24) : hour + 1].any()
    lost = split.train_hours.sum() - split.clean_train_hours.sum()
    assert lost == 24 * 13


def test_last_quarter_and_other_numbers_of_homes():
    split = split_of(["a", "b", "c"], 8760, "last quarter")
    assert split.test_hours[6570:].all()
    assert not split.test_hours[:6570].any()
    assert split.train_homes.tolist() == [0, 1]
    assert split.flagged.tolist() == []
    assert split.train_weeks.tolist() == [WEEK * week for week in range(39)]
    assert split_of(["a"], 8760).test_homes.tolist() == []
    assert len(split_of([str(each) for each in range(1022)], 8760).train_homes) == 601
    assert split_of(["a", "b", "c"], 8760, n_train=3).test_homes.tolist() == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([], 8760), "names must be of at least one home"),
        ((["a"], 100), "n_hours must be at least 672"),
        ((["a"], 8760, "random"), "weeks must be one of every fourth, last quarter"),
        ((["a"], 8760, "last quarter", 2), "n_train must be between 1 and 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        split_of(*arguments)
