"""Indicators against the loops that they are short for."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.indicators import citylearn_indicators, jain_index, self_consumption, self_sufficiency


def naive(net, without, price, carbon):
    """CityLearn's definitions, home by home and hour by hour."""

    def ratio(after, before):
        if abs(before) <= 1e-6:
            return 1.0 if abs(after) <= 1e-6 else None
        return after / before

    def mean(ratios):
        known = [each for each in ratios if each is not None]
        return sum(known) / len(known) if known else math.nan

    def shape(series):
        ramps = sum(max(b - a, 0) for a, b in pairwise(series))

        def windows(size):
            return [series[start : start + size] for start in range(0, len(series), size)]

        return {
            "ramping": ramps,
            "load_factor_daily": np.mean([1 - np.mean(part) / max(part) for part in windows(24)]),
            "load_factor_monthly": np.mean([1 - np.mean(part) / max(part) for part in windows(730)]),
            "daily_peak": np.mean([max(part) for part in windows(24)]),
            "peak": max(series),
        }

    def positive(series, weights):
        return sum(max(value * weight, 0) for value, weight in zip(series, weights, strict=True))

    ones, homes = [1.0] * len(price), range(net.shape[1])
    found = {
        name: mean([ratio(positive(net[:, h], weight), positive(without[:, h], weight)) for h in homes])
        for name, weight in (("cost", price), ("carbon", carbon), ("consumption", ones))
    }
    found["zne"] = mean([ratio(sum(net[:, h]), sum(without[:, h])) for h in homes])
    after, before = shape(net.sum(axis=1).tolist()), shape(without.sum(axis=1).tolist())
    return found | {name: ratio(after[name], before[name]) for name in after}


@pytest.mark.parametrize("n_hours", [2, 24, 25, 100, 1000])
def test_indicators_are_those_of_the_definitions(rng, n_hours):
    without = rng.normal(0.6, 1.5, (n_hours, 4))
    net = without + rng.normal(0, 0.7, (n_hours, 4))
    price, carbon = rng.uniform(0.1, 0.5, n_hours), rng.uniform(0.05, 0.3, n_hours)
    found, expected = citylearn_indicators(net, without, price, carbon), naive(net, without, price, carbon)
    assert list(found) == [
        *("cost", "carbon", "consumption", "zne", "ramping"),
        *("load_factor_daily", "load_factor_monthly", "daily_peak", "peak"),
    ]
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-10), name


def test_nothing_over_nothing_is_one_and_something_over_nothing_is_left_out():
    without = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    net = without.copy()
    net[0, 2], net[1, 0] = 0.5, 3.0
    found = citylearn_indicators(net, without, np.full(3, 0.2), np.zeros(3))
    assert found["cost"] == pytest.approx((5 / 4 + 1) / 2)
    assert found["carbon"] == 1.0
    flat = citylearn_indicators(without, np.ones((3, 3)), np.full(3, 0.2), np.full(3, 0.1))
    assert math.isnan(flat["ramping"])


def test_one_hour_is_enough():
    found = citylearn_indicators([[2.0, 1.0]], [[1.0, 1.0]], [0.3], [0.1])
    assert found["cost"] == 1.5
    assert found["ramping"] == found["load_factor_daily"] == 1.0
    assert found["peak"] == 1.5


def test_prices_below_zero_cost_nothing():
    found = citylearn_indicators([[2.0], [3.0]], [[4.0], [1.0]], [0.3, -0.3], [0.1, 0.1])
    assert found["cost"] == pytest.approx(0.5)


def test_shares_alone_and_together(rng):
    load, pv = rng.uniform(0, 2, (200, 5)), rng.uniform(0, 2, (200, 5)) * (rng.uniform(size=(200, 1)) > 0.5)
    net = load - pv
    alone, together = self_consumption(net, pv)
    used = sum(min(load[t, h], pv[t, h]) for t in range(200) for h in range(5))
    assert alone == pytest.approx(used / pv.sum())
    assert together == pytest.approx(np.minimum(load.sum(axis=1), pv.sum(axis=1)).sum() / pv.sum())
    assert self_sufficiency(net, load)[0] == pytest.approx(used / load.sum())
    assert self_sufficiency(net, load)[1] >= self_sufficiency(net, load)[0]
    assert all(math.isnan(each) for each in self_consumption(net, np.zeros_like(pv)))


def test_jain_index_lies_between_one_share_and_all():
    assert jain_index([0, 0, 0, 3.0]) == 0.25
    assert jain_index(np.full(7, 0.3)) == pytest.approx(1.0)
    assert jain_index([1, 2, 3]) == pytest.approx(36 / 42)
    assert math.isnan(jain_index([0.0, 0.0]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros(3), np.zeros((3, 1)), np.zeros(3), np.zeros(3)), r"net must be an array \(hours, homes\)"),
        ((np.zeros((3, 1)), np.zeros((4, 1)), np.zeros(3), np.zeros(3)), "without must be of net's shape"),
        ((np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(4), np.zeros(3)), r"price must be of shape \(3,\)"),
    ],
)
def test_shapes_must_agree(arguments, message):
    with pytest.raises(InputError, match=message):
        citylearn_indicators(*arguments)
