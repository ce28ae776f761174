"""The homes of our own making: the same for a seed, and like real ones in what matters."""

from __future__ import annotations

import time

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.sample import sample_data, time_of_use_price


def test_a_seed_is_a_year_and_the_first_homes_do_not_depend_on_how_many_there_are():
    few, many, other = sample_data(2), sample_data(4), sample_data(2, seed=1)
    np.testing.assert_array_equal(few.load, many.load[:, :2])
    np.testing.assert_array_equal(few.pv, many.pv[:, :2])
    np.testing.assert_array_equal(few.carbon, many.carbon)
    assert (few.load != other.load).mean() > 0.99


def test_homes_are_like_real_ones():
    data = sample_data(12, seed=3)
    assert 3000 < data.load.sum(axis=0).min() < data.load.sum(axis=0).max() < 20000
    correlations = np.corrcoef(data.load.T)[np.triu_indices(12, 1)]
    assert np.median(correlations) < 0.35  # individual habits
    assert np.median(np.corrcoef(data.pv.T)[np.triu_indices(12, 1)]) > 0.9  # one sky
    yields = data.pv.sum(axis=0) / data.pv_kw
    assert 1000 < yields.min() < yields.max() < 1700
    assert (data.pv[(data.hour < 4) | (data.hour > 21)] == 0).all()
    assert data.pv.max() <= data.pv_kw.max()
    june, december = (data.pv[data.month == month].mean() for month in (6, 12))
    assert june > 1.5 * december
    by_hour = np.array([data.load[data.hour == hour].mean() for hour in range(24)])
    assert by_hour[17:20].mean() > 1.5 * by_hour[1:5].mean()
    assert 0.12 < data.carbon.mean() < 0.19


def test_days_are_those_of_a_calendar():
    data = sample_data(1)
    days = np.arange("2018-01-01", "2019-01-01", dtype="datetime64[D]")
    assert data.n_hours == 24 * len(days)
    np.testing.assert_array_equal(data.month[::24], days.astype("datetime64[M]").astype(int) % 12 + 1)
    np.testing.assert_array_equal(data.weekday[::24], [day.weekday() for day in days.tolist()])


def test_the_tariff_has_its_prices_where_they_belong():
    hour, weekday = (each.ravel().astype(np.int8) for each in np.meshgrid(np.arange(24), np.arange(7)))
    winter, summer = (0.21, 0.5, 0.5), (0.22, 0.54, 0.4)
    for month, expected in ((1, winter), (6, summer), (9, summer), (10, winter)):
        price = time_of_use_price(hour, weekday, np.full(len(hour), month))
        peak, free = (hour >= 15) & (hour < 20), weekday >= 5
        np.testing.assert_array_equal(price, np.where(peak, np.where(free, expected[2], expected[1]), expected[0]))


def test_it_is_there_at_once():
    seconds = []
    for _ in range(3):
        start = time.process_time()
        sample_data()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize("arguments", [(0,), (1001,), (2.0,), (2, -1)])
def test_impossible_numbers_are_refused(arguments):
    with pytest.raises(InputError, match=r"n_homes|seed"):
        sample_data(*arguments)
