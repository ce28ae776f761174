"""Electric vehicles: when they are there, what they take, what they lack."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.electric_vehicle import CAPACITY_KWH, EFFICIENCY, POWER_KW, ElectricVehicles


def test_energy_is_conserved_and_presence_decides(rng):
    vehicles = ElectricVehicles(20, n_days=10, seed=5)
    for hour in range(24 * 10):
        present, to_go, missing = vehicles.observe(hour)
        energy = vehicles.energy_kwh.copy()
        day, of_day = divmod(hour, 24)
        home_at = vehicles._returns[day, vehicles._kind]
        taken = vehicles.step(rng.uniform(-2, 10, 20), hour)
        driven = np.where(home_at == of_day, np.minimum(energy, vehicles._driven[day, vehicles._kind]), 0)
        np.testing.assert_allclose(vehicles.energy_kwh, energy - driven + taken * EFFICIENCY, atol=1e-9)
        assert ((taken >= 0) & (taken <= POWER_KW)).all()
        assert (taken[~present] == 0).all()
        assert (to_go[~present] == 0).all()
        assert (to_go[present] >= 1).all()
        np.testing.assert_allclose(missing[present], (CAPACITY_KWH - energy)[present])
        np.testing.assert_array_equal(vehicles.present, vehicles.observe(hour + 1)[0])


def test_hours_to_go_count_down_to_the_departure():
    vehicles = ElectricVehicles(8, n_days=6, seed=2)
    for hour in range(24 * 5):
        present, to_go, _ = vehicles.observe(hour)
        for vehicle in np.flatnonzero(present):
            leaves = hour + int(to_go[vehicle])
            assert vehicles.observe(leaves - 1)[0][vehicle]
            assert not vehicles.observe(leaves)[0][vehicle]


def test_what_is_missing_at_departure_is_unmet():
    vehicles = ElectricVehicles(30, n_days=3, seed=0)
    unmet = np.zeros(30)
    driven = vehicles._driven[0]
    for hour in range(48):
        vehicles.step(0.0, hour)
        unmet += vehicles.unmet_kwh
    np.testing.assert_allclose(unmet, driven, rtol=1e-6)  # not charged on the first evening, missing on the second day
    eager = ElectricVehicles(30, n_days=3, seed=0)
    for hour in range(72):
        eager.step(POWER_KW, hour)
        assert not eager.unmet_kwh.any()


def test_days_depend_on_seed_and_home_alone():
    all_homes, copies = ElectricVehicles(6, seed=3), ElectricVehicles(4, seed=3, home=[5, 2, 5, 0])
    for hour in range(24 * 4):
        everyone, few = all_homes.observe(hour), copies.observe(hour)
        np.testing.assert_array_equal(few[0], everyone[0][[5, 2, 5, 0]])
        np.testing.assert_array_equal(copies.step(3.0, hour), all_homes.step(3.0, hour)[[5, 2, 5, 0]])
    assert (ElectricVehicles(6, seed=4)._driven != all_homes._driven).mean() > 0.9
    mean = ElectricVehicles(50)._driven.mean()
    assert 6.8 < mean < 7.3


def test_homes_may_live_in_different_hours():
    together, first = ElectricVehicles(3, n_days=20, seed=2), np.array([0, 50, 123])
    alone = [ElectricVehicles(1, n_days=20, seed=2, home=[home]) for home in range(3)]
    for hour in range(24 * 6):
        present, to_go, missing = together.observe(first + hour)
        single = [vehicle.observe(int(start) + hour) for vehicle, start in zip(alone, first, strict=True)]
        np.testing.assert_array_equal([present, to_go, missing], np.concatenate(single, axis=1))
        taken = together.step([1.0, 3.0, 9.0], first + hour)
        for home, (power, vehicle) in enumerate(zip([1.0, 3.0, 9.0], alone, strict=True)):
            assert vehicle.step(power, int(first[home]) + hour) == taken[home]
            assert vehicle.unmet_kwh == together.unmet_kwh[home]
    copy = ElectricVehicles(3, n_days=20, seed=2)
    copy.restore(together.state())
    np.testing.assert_array_equal(copy.present, together.present)


def test_state_goes_on_with_the_same_bits():
    one, two = ElectricVehicles(5, seed=1), ElectricVehicles(5, seed=1)
    for hour in range(30):
        one.step(2.5, hour)
    two.restore(one.state())
    np.testing.assert_array_equal(one.present, two.present)
    for hour in range(30, 60):
        np.testing.assert_array_equal(one.step(2.5, hour), two.step(2.5, hour))
    with pytest.raises(InputError, match="state is of"):
        ElectricVehicles(4).restore(one.state())


@pytest.mark.parametrize("arguments", [dict(n_homes=0), dict(n_homes=2, home=[1]), dict(n_homes=1, home=[-1])])
def test_impossible_fleets_are_refused(arguments):
    with pytest.raises(InputError, match=r"n_homes|home must hold"):
        ElectricVehicles(**arguments)
