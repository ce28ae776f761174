"""Linear bounds: checked by hand, against a dynamic program of the same battery, and under a cap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.linear_program import capped_linear_program, linear_program, pooled_linear_program

RNG = np.random.default_rng(0)
NEED = RNG.uniform(-3, 3, (72, 2))
PRICE = np.tile(np.repeat([0.2, 0.5, 0.2], [15, 5, 4]), 3)


def lossy(net: Any, need: Any) -> Any:
    """Stored energy over time of a battery that loses a tenth of what goes in and out."""
    b = net - need
    way = np.sqrt(0.9)
    return np.cumsum(np.where(b > 0, b * way, b / way), 0)


def test_a_bound_is_a_use_of_the_battery_and_no_other_is_cheaper() -> None:
    bound = linear_program(NEED, [6.4, 3.2], [5.0, 2.0], PRICE)
    stored = lossy(bound.net, NEED)
    assert (stored > -1e-6).all()
    assert (stored < np.array([6.4, 3.2]) + 1e-6).all()
    before = np.vstack([np.zeros(2), stored[:-1]]) / [6.4, 3.2]
    assert (np.abs(bound.balance) <= np.array([5.0, 2.0]) * np.minimum(1, 1 - 4 * (before - 0.8)) + 1e-6).all()
    np.testing.assert_allclose(bound.cost, (np.maximum(bound.net, 0) * PRICE[:, None]).sum(0))
    # The same battery by recursion over fine levels: dearer, as levels are coarse, by little.
    levels = np.linspace(0, 6.4, 129)
    change = levels[None, :] - levels[:, None]
    meter = np.where(change > 0, change / np.sqrt(0.9), change * np.sqrt(0.9))
    limit = 5 * np.minimum(1, 1 - 4 * (levels / 6.4 - 0.8))
    meter[np.abs(meter) > limit[:, None]] = np.inf
    later = np.zeros(129)
    for t in reversed(range(72)):
        later = (np.maximum(NEED[t, 0] + meter, 0) * PRICE[t] + later).min(1)
    assert bound.cost[0] <= later[0] + 1e-6
    assert bound.cost[0] == pytest.approx(later[0], rel=0.02)


def test_a_peak_fee_is_traded_against_energy() -> None:
    month = np.repeat([1, 2], 36)
    free = linear_program(NEED, [6.4, 3.2], [5.0, 2.0], PRICE)
    fee = linear_program(NEED, [6.4, 3.2], [5.0, 2.0], PRICE, peak_fee=10.0, month=month)

    def peaks(net: Any) -> Any:
        return sum(np.maximum(net[month == m], 0).max(0) for m in (1, 2))

    energy = (np.maximum(fee.net, 0) * PRICE[:, None]).sum(0)
    np.testing.assert_allclose(fee.cost, energy + 10 * peaks(fee.net))
    assert (fee.cost < free.cost + 10 * peaks(free.net)).all()
    with pytest.raises(InputError, match="month"):
        linear_program(NEED, [6.4, 3.2], [5.0, 2.0], PRICE, peak_fee=10.0)


def test_a_pool_costs_no_more_than_homes_that_net() -> None:
    alone = linear_program(NEED, [6.4, 6.4], [5.0, 5.0], PRICE, 0.05)
    pooled = pooled_linear_program(NEED, [6.4, 6.4], [5.0, 5.0], PRICE, 0.05)
    together = alone.net.sum(1)
    assert pooled.cost[0] <= np.where(together > 0, together * PRICE, together * 0.05).sum() + 1e-6
    one = linear_program(NEED.sum(1, keepdims=True), [12.8], [10.0], PRICE, 0.05)
    assert pooled.cost[0] == pytest.approx(one.cost[0])
    with pytest.raises(InputError, match="the same for all homes"):
        pooled_linear_program(NEED, [6.4, 6.4], [5.0, 5.0], np.stack([PRICE, PRICE], 1))


def test_a_cap_is_kept_over_windows() -> None:
    free = linear_program(NEED, [6.4, 6.4], [5.0, 5.0], PRICE)
    cap = 0.6 * free.net.sum(1).max()
    capped = capped_linear_program(NEED, [6.4, 6.4], [5.0, 5.0], PRICE, cap_kw=cap, days=1)
    assert capped.net.sum(1).max() <= cap + 1e-6
    assert free.cost.sum() - 1e-6 <= capped.cost.sum() < 1.2 * free.cost.sum()
    stored = lossy(capped.net, NEED)
    assert (stored > -1e-5).all()
    assert (stored < 6.4 + 1e-5).all()
    whole = capped_linear_program(NEED, [6.4, 6.4], [5.0, 5.0], PRICE, cap_kw=1e3, days=3)
    np.testing.assert_allclose(whole.cost.sum(), free.cost.sum(), rtol=1e-4)
    impossible = capped_linear_program(NEED[:2], [0.0, 0.0], [0.0, 0.0], PRICE[:2], cap_kw=0.1)
    np.testing.assert_allclose(impossible.net, NEED[:2], atol=1e-9)
    with pytest.raises(InputError, match="cap_kw"):
        capped_linear_program(NEED, 6.4, 5.0, PRICE, cap_kw=0.0)
