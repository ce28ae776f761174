"""Batteries against the model written for one battery and one hour."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.battery import Batteries, efficiency, power_limit

EFFICIENCY = ([0, 0.3, 0.7, 0.8, 1], [0.83, 0.83, 0.9, 0.9, 0.85])
LIMIT = ([0, 0.8, 1], [1, 1, 0.2])


class OneBattery:
    """The reference: the four rules as they are published, with interpolation by NumPy."""

    def __init__(self, capacity, power):
        self.capacity = self.degraded = capacity
        self.power, self.energy = power, 0.0

    def step(self, requested):
        if self.capacity == 0:
            return 0.0
        most = self.power * np.interp(self.energy / self.capacity, *LIMIT)
        q = min(abs(requested), most)
        for _ in range(2):
            e = math.sqrt(np.interp(q / self.power, *EFFICIENCY))
            room = max(self.degraded - self.energy, 0) / e if requested >= 0 else self.energy * e
            q = min(abs(requested), most, room)
        before = self.energy
        if requested >= 0:
            self.energy = min(before + q * e, self.capacity)
        else:
            self.energy = max(before - q / e, 0.0)
        change = self.energy - before
        balance = change / e if change >= 0 else change * e
        self.degraded = max(self.degraded - 1e-5 * self.capacity * abs(balance) / (2 * self.degraded), 0.0)
        return balance


def test_curves_are_the_published_ones():
    share = np.linspace(0, 1, 201)
    np.testing.assert_allclose(efficiency(share), np.interp(share, *EFFICIENCY), rtol=1e-14)
    np.testing.assert_allclose(power_limit(share), np.interp(share, *LIMIT), rtol=1e-14)


def test_many_batteries_are_that_many_single_ones(rng):
    capacity = np.array([6.4, 10.0, 3.2, 0.0, 13.5, 6.4])
    power = np.array([5.0, 3.0, 5.0, 0.0, 11.0, 0.7])
    batteries, single = Batteries(capacity, power), [OneBattery(*sizes) for sizes in zip(capacity, power, strict=True)]
    for hour in range(600):
        requested = rng.uniform(-1.4, 1.4, 6) * power
        requested[rng.integers(6)] = rng.choice([0.0, -0.0, 1e-9, -1e-9, 100.0, -100.0])
        balance = batteries.step(requested)
        expected = [each.step(r) for each, r in zip(single, requested, strict=True)]
        np.testing.assert_allclose(balance, expected, rtol=1e-12, atol=1e-12, err_msg=f"hour {hour}")
        np.testing.assert_allclose(batteries.energy_kwh, [each.energy for each in single], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(batteries.degraded_kwh, [each.degraded for each in single], rtol=1e-14)
    assert (batteries.degraded_kwh[capacity > 0] < capacity[capacity > 0]).all()


def test_a_request_within_limits_is_met_exactly_and_others_are_cut():
    batteries = Batteries([6.4, 6.4, 6.4], [5.0, 5.0, 5.0], charge=[0.5, 0.5, 0.0])
    np.testing.assert_allclose(batteries.step([1.3, -0.7, -2.0]), [1.3, -0.7, 0.0], rtol=1e-14)
    full = Batteries(6.4, 5.0)
    for _ in range(12):
        taken = full.step(5.0)
    assert 0 <= taken < 0.01
    assert full.charge <= 1.0


def test_most_charge_and_discharge_are_what_a_step_would_do(rng):
    batteries = Batteries(np.full(50, 6.4), np.full(50, 5.0), charge=rng.uniform(0, 1, 50))
    before = batteries.state()
    most, least = batteries.most_charge(), batteries.most_discharge()
    assert all((batteries.state()[name] == values).all() for name, values in before.items())
    np.testing.assert_allclose(batteries.step(1e9), most, rtol=1e-12)
    batteries.restore(before)
    np.testing.assert_allclose(batteries.step(-1e9), -least, rtol=1e-12)


def test_any_shape_and_one_request_for_all():
    batteries = Batteries(np.full((2, 3), 6.4), 5.0)
    assert batteries.step(1.0).shape == batteries.charge.shape == (2, 3)


def test_state_goes_on_with_the_same_bits(rng):
    requests = rng.uniform(-5, 5, (40, 7))
    one, two = (Batteries(np.full(7, 6.4), 5.0) for _ in range(2))
    for request in requests[:20]:
        one.step(request)
    two.restore(one.state())
    for request in requests[20:]:
        np.testing.assert_array_equal(one.step(request), two.step(request))
    with pytest.raises(InputError, match=r"batteries of shape \(7,\), these are of shape \(3,\)"):
        Batteries(np.full(3, 6.4), 5.0).restore(one.state())


def test_a_step_changes_neither_its_request_nor_what_it_gave_before():
    batteries = Batteries([6.4], [5.0])
    request = np.array([2.0])
    first = batteries.step(request)
    batteries.step(-request)
    assert request[0] == 2.0
    assert first[0] == 2.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([-1.0], [5.0]), "capacity_kwh must be finite numbers of at least 0, not -1.0"),
        (([6.4], [np.inf]), "power_kw must be finite numbers of at least 0, not inf"),
        (([6.4, 6.4], [5.0]), r"power_kw must be one number or of capacity_kwh's shape \(2,\), not \(1,\)"),
        (([0.0, 6.4], [0.0, 0.0]), "battery 1 has 6.4 kWh and an inverter of 0 kW"),
        (([6.4], [5.0], 1.2), "charge must be numbers between 0 and 1"),
        (([6.4], [5.0], np.nan), "charge must be numbers between 0 and 1"),
    ],
)
def test_impossible_batteries_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Batteries(*arguments)
