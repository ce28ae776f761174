"""Changes between levels, and the recursion, against both written out one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.baselines.levels import Levels
from trulysparse.grid.battery import Batteries


def test_a_change_costs_what_the_battery_takes_for_it() -> None:
    levels = Levels(8.0, 3.0, 33)
    reached = np.isfinite(levels.balance)
    assert reached[0, 0]
    assert not reached[0, 32]
    for start, end in np.argwhere(reached)[::7]:
        battery = Batteries([8.0], [3.0], levels.energy_kwh[start] / 8.0)
        battery.step([float(levels.balance[start, end])])
        assert battery.energy_kwh[0] == pytest.approx(levels.energy_kwh[end], abs=3e-3)
    for start in (0, 10, 20, 32):  # what is not reached is beyond the battery's power
        for sign in (1, -1):
            battery = Batteries([8.0], [3.0], levels.energy_kwh[start] / 8.0)
            battery.step([sign * 3.0])
            ahead = sign * (levels.energy_kwh - battery.energy_kwh[0]) > 1e-6
            assert not reached[start, ahead].any()


@pytest.mark.parametrize("export", [None, 0.05])
@pytest.mark.parametrize("lowest", [0.1, -0.2])
def test_values_are_those_of_the_recursion(export: float | None, lowest: float) -> None:
    levels, rng = Levels(6.4, 5.0, 9), np.random.default_rng(0)
    need = rng.uniform(-3, 3, (6, 2)).astype(np.float32)
    price = rng.uniform(lowest, 0.5, (6, 1)).astype(np.float32)
    paid = None if export is None else np.minimum(price, np.float32(export))
    values = levels.values(need, price, paid, 0.3)
    for home in range(2):
        later = [-0.3 * float(kwh) for kwh in levels.energy_kwh]
        for t in reversed(range(6)):
            now = []
            for start in range(9):
                costs = []
                for end in range(9):
                    if np.isfinite(levels.balance[start, end]):
                        net = float(need[t, home]) + float(levels.balance[start, end])
                        p = float(price[t, 0])
                        f = 0.0 if export is None else min(p, export)
                        costs.append(max(net * p, net * f) + later[end])
                now.append(min(costs))
            later = now
            np.testing.assert_allclose(values[t, home], np.array(now) - min(now), atol=1e-5)


def test_values_between_levels() -> None:
    levels = Levels(6.4, 5.0, 5)
    values = np.array([[4.0, 2.0, 1.0, 0.5, 0.0], [0, 0, 0, 0, 1]], np.float32)
    found = levels.value_at(values, np.array([[0.8, 6.4], [3.2, 5.6]]))
    np.testing.assert_allclose(found, [[3.0, 1.0], [1.0, 0.5]])
