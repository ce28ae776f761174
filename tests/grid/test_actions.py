"""What actions ask of batteries."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.actions import Actions

POWER = np.array([5.0, 2.0, 5.0])


def test_requests_as_written_home_by_home():
    rng = np.random.default_rng(0)
    for exchange in (False, True):
        actions = Actions("follow", 3, POWER, exchange)
        for _ in range(50):
            given = rng.uniform(-1.2, 1.2, actions.shape)
            need = rng.normal(0, 2, 3)
            actions.take(given)
            request = actions.request(need)
            for home in range(3):
                u = np.clip(given[home, 0], -1, 1)
                expected = -need[home] if need[home] < 0 else u * need[home] if u < 0 else 0
                expected += max(u, 0) * POWER[home]
                if exchange:
                    expected += np.clip(given[home, 1], -1, 1) * POWER[home]
                np.testing.assert_allclose(request[home], expected, atol=1e-12)
    setpoint = Actions("setpoint", 3, POWER)
    setpoint.take(np.array([[0.5], [-1], [0]]))
    assert setpoint.request(np.array([3.0, -3.0, 1.0])).tolist() == [2.5, -2.0, 0.0]


def test_names_shares_and_starts():
    actions = Actions("follow", 3, POWER, True, True, True, True)
    assert actions.names == ("battery", "exchange", "PV curtailment", "vehicle charging", "heat-pump shift")
    assert actions.start.tolist() == [-1, 0, 0, 1, 0]
    actions.take(np.tile([0, 0, -0.5, 0.25, -0.5], (3, 1)))
    assert actions.share("PV curtailment").tolist() == [0, 0, 0]
    assert actions.share("vehicle charging").tolist() == [0.25] * 3
    assert actions.component("heat-pump shift").tolist() == [-0.5] * 3
    assert Actions("setpoint", 3, POWER).start.tolist() == [0]


def test_what_is_no_number_is_seen():
    actions = Actions("follow", 3, POWER)
    for value in (np.inf, -np.inf):
        actions.take(np.array([[value], [0], [0]]))
        assert actions.is_finite()  # cut like anything beyond the bounds
    actions.take(np.array([[0], [np.nan], [0]]))
    assert not actions.is_finite()
    with pytest.raises(InputError, match=r"actions must be of shape \(3, 1\) \(homes, components battery\)"):
        actions.take(np.zeros(3))
