"""A pool of batteries between its two bounds."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.dynamic_program import dynamic_program
from trulysparse.grid.baselines.linear_program import pooled_linear_program
from trulysparse.grid.baselines.pooled import pooled_dynamic_program
from trulysparse.grid.battery import Batteries

NEED = np.random.default_rng(0).uniform(-3, 3, (96, 3))
PRICE = np.tile(np.repeat([0.2, 0.5, 0.2], [15, 5, 4]), 4)
CAPACITY, POWER = np.array([6.4, 12.8, 0.0]), np.array([5.0, 10.0, 0.0])


def community_cost(balance: np.ndarray) -> float:
    return float((np.maximum((NEED + balance).sum(1), 0) * PRICE).sum())


def test_a_pooled_plan_can_be_carried_out_and_beats_plans_of_homes() -> None:
    plan = pooled_dynamic_program(NEED, CAPACITY, POWER, PRICE)
    batteries = Batteries(CAPACITY, POWER)
    done = np.array([batteries.step(request) for request in plan.requests])
    np.testing.assert_allclose(done, plan.balance, atol=1e-9)
    assert plan.cost[0] == pytest.approx(community_cost(plan.balance))
    assert plan.cost[0] < community_cost(dynamic_program(NEED, CAPACITY, POWER, PRICE).balance)
    outer = pooled_linear_program(NEED, CAPACITY, POWER, PRICE).cost[0]
    assert outer < plan.cost[0] < 1.1 * outer


def test_bad_pools() -> None:
    with pytest.raises(InputError, match=r"one proportion.* from 1 to 1.28 hours"):
        pooled_dynamic_program(NEED, [6.4, 5.0, 0.0], [5.0, 5.0, 0.0], PRICE)
    with pytest.raises(InputError, match="at least one home"):
        pooled_dynamic_program(NEED, np.zeros(3), np.zeros(3), PRICE)
    with pytest.raises(InputError, match="the same for all homes"):
        pooled_dynamic_program(NEED, CAPACITY, POWER, np.stack([PRICE] * 3, 1))
