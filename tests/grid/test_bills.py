"""Bills over months, and the scale of rewards."""

from __future__ import annotations

import numpy as np

from trulysparse.grid.bills import Bills, mean_cost
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import scenario_of
from trulysparse.grid.splits import split_of
from trulysparse.grid.tariff import Tariff, make_tariff

DATA = sample_data(3)


def test_the_fee_of_a_year_is_that_of_each_months_highest_import():
    bills = Bills(make_tariff("peakfee", DATA, 3), DATA, 3)
    net = np.random.default_rng(0).normal(0, 2, (8760, 3))
    paid = sum(bills.settle(hour, net[hour]).copy() for hour in range(8760))
    energy = (np.maximum(net, 0) * DATA.price[:, None]).sum(axis=0)
    peaks = sum(net[DATA.month == month].max(axis=0) for month in range(1, 13))
    np.testing.assert_allclose(paid, energy + 10 * peaks)


def test_homes_in_different_months_have_highest_imports_of_their_own():
    first = np.array([740, 0, 100])  # the first is eight hours before February
    bills = Bills(make_tariff("peakfee", DATA, 3), DATA, 3)
    bills.begin_at(first)
    for hour in range(10):
        bills.settle(hour, np.full(3, 3.0 - hour / 10))
    assert bills.peak.tolist() == [3.0 - 0.4, 3.0, 3.0]


def test_the_scale_is_the_mean_cost_without_control_in_training_weeks():
    kinds = np.stack([DATA.price, 2 * DATA.price], axis=1)
    tariff = Tariff("kinds", kinds, 0 * kinds, kind=np.array([0, 1, 0]))
    hours = split_of(DATA.names, 8760).train_hours
    imports = np.maximum(DATA.load - DATA.pv, 0)
    expected = (imports * kinds[:, [0, 1, 0]])[hours].mean(axis=0)
    np.testing.assert_allclose(mean_cost(scenario_of(DATA), tariff, hours), expected, rtol=1e-5)
    environment = GridEnvironment(DATA, tariff=tariff, copies=2, n_hours=24)
    np.testing.assert_allclose(environment.reward_scale, np.tile(expected, 2), rtol=1e-5)
