"""Windows of generations lie in hours that may be learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.agents.windows import Windows
from trulysparse.grid.splits import split_of

SPLIT = split_of(["a"], 8760)


@pytest.mark.parametrize(("length", "count"), [(480, None), (480, 5), (168, 4), (240, 7), (24, 40)])
def test_no_window_touches_a_test_week_or_sees_one(length, count):
    windows = Windows(SPLIT, length, count, seed=3)
    seen = set()
    for generation in range(20):
        first = windows.of_generation(generation)
        assert len(first) == windows.count
        hours = (first[:, None] + np.arange(length)).ravel()
        assert len(np.unique(hours)) == len(hours)  # they do not overlap
        assert not SPLIT.test_hours[hours].any()
        before = np.maximum(first[:, None] - np.arange(1, 25), 0)
        assert not SPLIT.test_hours[before].any()  # nor do the observations of their first day
        seen |= set(first.tolist())
    assert (len(seen) > windows.count) == (count is not None)


def test_observations_that_look_back_a_week_show_no_test_hour():
    back = replace(SPLIT, history_days=7)
    windows = Windows(back, 168)
    for first in windows.first.tolist():
        assert not SPLIT.test_hours[max(0, first - 168) : first + 168].any()
    assert len(Windows(back, 480).first) == 1 < len(Windows(SPLIT, 480).first)


def test_short_data_have_fewer_windows():
    assert Windows(split_of(["a"], 5 * 168), 168, count=4).first.tolist() == [0, 168, 336]
    assert Windows(SPLIT, 480, 14).count == 13


def test_draws_are_functions_of_seed_and_generation():
    one, same, other = (Windows(SPLIT, 168, 4, seed) for seed in (1, 1, 2))
    for _ in range(3):
        one.of_generation(0)
    assert (one.of_generation(7) == same.of_generation(7)).all()
    assert (one.of_generation(7) != other.of_generation(7)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((100,), "window_hours must be whole days"),
        ((528,), "window_hours must be at most 504"),
        ((480, 0), "windows must be at least 1"),
        ((0,), "window_hours must be at least 24"),
    ],
)
def test_lengths_are_checked(arguments, message):
    with pytest.raises(InputError, match=message):
        Windows(SPLIT, *arguments)


def test_more_than_fit_means_all_that_fit():
    assert Windows(split_of(["a"], 1344), 168, 40).of_generation(5).tolist() == [0, 168, 336, 696, 864]
