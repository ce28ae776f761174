"""Heat pumps against the room's differential equation, solved by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from trulysparse.errors import InputError
from trulysparse.grid.heat_pump import (
    CAPACITY,
    GAIN_KW,
    MOST_SHIFT,
    POWER_KW,
    RESISTANCE,
    SET_POINT,
    HeatPumps,
    coefficient_of_performance,
)


def test_the_room_follows_its_equation(rng):
    pumps = HeatPumps(3, start=[16.0, 20.5, 25.0])
    for _ in range(30):
        outdoors = float(rng.uniform(-8, 25))
        before = pumps.inside.copy()
        taken = pumps.step(rng.uniform(-1.5, 1.5, 3), outdoors)
        heat = taken * coefficient_of_performance(outdoors)

        def change(_, inside, heat=heat, outdoors=outdoors):
            return (heat + GAIN_KW - (inside - outdoors) / RESISTANCE) / CAPACITY

        solved = solve_ivp(change, (0, 1), before, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(pumps.inside, solved.y[:, -1], rtol=1e-8)
        assert ((taken >= 0) & (taken <= POWER_KW * (1 + 1e-12))).all()


def test_the_pump_reaches_its_set_point_where_its_power_allows_and_never_cools():
    pumps = HeatPumps(4, start=[SET_POINT, SET_POINT, 5.0, 28.0])
    taken = pumps.step([0.0, -1.0, 1.0, 0.0], 5.0)
    assert pumps.inside[0] == pytest.approx(SET_POINT)
    assert taken[1] == 0
    assert SET_POINT - MOST_SHIFT < pumps.inside[1] < SET_POINT
    assert taken[2] == pytest.approx(POWER_KW)
    assert pumps.discomfort[2] > 10
    assert taken[3] == 0
    assert pumps.discomfort[3] == 0


def test_efficiency_falls_with_the_cold_and_has_a_limit():
    cop = coefficient_of_performance(np.linspace(-20, 60, 50))
    assert (np.diff(cop) >= 0).all()
    assert cop.max() == 8.0
    assert coefficient_of_performance(7.5) == pytest.approx(0.25 * 320.65 / 40)


def test_state_goes_on_with_the_same_bits():
    one, two = HeatPumps(3), HeatPumps(3)
    for hour in range(10):
        one.step(0.3, hour - 4.0)
    two.restore(one.state())
    np.testing.assert_array_equal(one.step(0.1, 2.0), two.step(0.1, 2.0))
    with pytest.raises(InputError, match="state is of"):
        HeatPumps(2).restore(one.state())


@pytest.mark.parametrize("arguments", [dict(n_homes=0), dict(n_homes=2, start=[1.0]), dict(n_homes=1, start=np.nan)])
def test_impossible_pumps_are_refused(arguments):
    with pytest.raises(InputError, match=r"n_homes|start must be"):
        HeatPumps(**arguments)
