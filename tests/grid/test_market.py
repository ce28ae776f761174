"""Community markets: books balance exactly, prices lie between the grid's, the rules as published."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.market import MARKETS, local_prices, settle


@pytest.mark.parametrize("market", MARKETS)
def test_books_balance(market):
    rng = np.random.default_rng(0)
    for communities in (1, 4):
        for _ in range(50):
            net = rng.normal(rng.normal(), 1, 12) * (rng.random(12) > 0.2)
            price, export = rng.uniform(0.2, 0.6, communities), rng.uniform(0, 0.2, communities)
            bills = settle(market, net, price, export, communities)
            sums = net.reshape(communities, -1).sum(axis=1)
            expected = np.where(sums > 0, sums * price, sums * export)
            np.testing.assert_allclose(bills.reshape(communities, -1).sum(axis=1), expected, atol=1e-12)


@pytest.mark.parametrize("market", MARKETS)
def test_edges(market):
    nobody = settle(market, np.zeros(3), 0.5, 0.1)
    assert nobody.tolist() == [0, 0, 0]
    np.testing.assert_allclose(settle(market, np.array([2.0, 1.0]), 0.5, 0.1), [1.0, 0.5])
    np.testing.assert_allclose(settle(market, np.array([-2.0, -1.0]), 0.5, 0.1), [-0.2, -0.1])
    free = settle(market, np.array([2.0, -1.0]), 0.5, 0.0)
    np.testing.assert_allclose(free.sum(), 0.5)


def test_mid_market_rate_as_written():
    # D = 4, S = 1: those with too much get m, those who need pay (S m + (D - S) p) / D; and the mirror image
    buy, sell = local_prices("mid-market", 4.0, 1.0, 0.5, 0.1)
    np.testing.assert_allclose([buy, sell], [(1 * 0.3 + 3 * 0.5) / 4, 0.3])
    buy, sell = local_prices("mid-market", 1.0, 4.0, 0.5, 0.1)
    np.testing.assert_allclose([buy, sell], [0.3, (1 * 0.3 + 3 * 0.1) / 4])


def test_supply_demand_ratio_as_written():
    r, p, f = 0.25, 0.5, 0.1
    buy, sell = local_prices("supply-demand", 4.0, 1.0, p, f)
    expected = f * p / ((p - f) * r + f)
    np.testing.assert_allclose([buy, sell], [expected * r + p * (1 - r), expected])
    assert [each.item() for each in local_prices("supply-demand", 1.0, 4.0, p, f)] == [f, f]


def test_netting_gives_energy_from_within_for_nothing():
    np.testing.assert_allclose(settle("netting", np.array([3.0, 1.0, -2.0]), 0.5, 0.1), [0.75, 0.25, 0])
    np.testing.assert_allclose(settle("netting", np.array([1.0, -3.0, -1.0]), 0.5, 0.1), [0, -0.225, -0.075])


def test_an_unknown_market():
    with pytest.raises(InputError, match="market must be one of netting, mid-market, supply-demand"):
        local_prices("auction", 1, 1, 0.5, 0)
