"""Blocks of hours: the source's own numbers, and means of the hours before, computed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.hours import HourBlocks, Means
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import scenario_of

DATA = sample_data(3)
NET = DATA.load.astype(float) - DATA.pv


def blocks(first, n_hours, days=1):
    made = HourBlocks(scenario_of(DATA), 3, n_hours, days)
    made.begin_at(first)
    return made


@pytest.mark.parametrize("first", [0, 30, 5000, np.array([0, 5000, 10])])
@pytest.mark.parametrize("days", [1, 7])
def test_rows_are_the_sources_hours(first, days):
    made = blocks(first, 400, days)
    starts = np.broadcast_to(first, 3)
    for step in (0, 1, 167, 168, 399, 3, 170, 400):
        made.at(step)
        row = made.history + step - made.start
        for home, start in enumerate(starts):
            for back in (0, 1, 24) if step < 400 else (1, 24):
                hour = start + step - back
                expected = NET[hour, home] if hour >= 0 else 0
                assert made.net[row - back, home] == expected
                assert made.pv[row - back, home] == (DATA.pv[hour, home] if hour >= 0 else 0)


def test_a_block_is_the_same_wherever_reading_began():
    one_by_one, jumped = blocks(100, 700), blocks(100, 700)
    assert [step for step in range(700) if one_by_one.at(step)] == [0, 168, 336, 504, 672]
    assert jumped.at(699)
    np.testing.assert_array_equal(one_by_one.net[: 24 + 28], jumped.net[: 24 + 28])
    for each in ("load", "pv", "next_hour", "next_six"):
        ours, theirs = (getattr(Means(made), each)[:28] for made in (one_by_one, jumped))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("first", [0, 5, 4000, np.array([0, 4000, 30])])
@pytest.mark.parametrize("days", [1, 7])
def test_means_of_hours_that_have_passed(first, days):
    made = blocks(first, 200, days)
    for step in (0, 1, 5, 23, 24, 30, 100, 167, 169, 199):
        made.at(step)
        means, row = Means(made), step - made.start
        for home, start in enumerate(np.broadcast_to(first, 3).tolist()):
            now = start + step
            day = slice(max(0, now - 24), now)
            expected = (DATA.load[day, home].mean(dtype=float), DATA.pv[day, home].mean(dtype=float)) if now else (0, 0)
            np.testing.assert_allclose((means.load[row, home], means.pv[row, home]), expected, rtol=1e-6, atol=1e-9)
            known = [now - 24 * back for back in range(1, days + 1) if now - 24 * back >= 0]
            hour = np.mean([NET[each, home] for each in known]) if known else 0.0
            six = np.mean([NET[each : each + 6, home] for each in known]) if known else None
            np.testing.assert_allclose(means.next_hour[row, home], hour, rtol=1e-6, atol=1e-9)
            if known and now >= 24 * days:
                np.testing.assert_allclose(means.next_six[row, home], six, rtol=1e-6, atol=1e-9)
