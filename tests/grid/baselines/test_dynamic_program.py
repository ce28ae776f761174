"""Plans with perfect foresight: can be carried out, and are as cheap as a search over everything."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.dynamic_program import dynamic_program
from trulysparse.grid.baselines.linear_program import linear_program
from trulysparse.grid.baselines.rules import Requests, SelfConsumption, TimeOfUseFill
from trulysparse.grid.battery import Batteries
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)


def test_no_sequence_of_requests_is_cheaper() -> None:
    rng = np.random.default_rng(1)
    need, price = rng.uniform(-4, 4, (4, 1)), np.array([0.2, 0.5, 0.1, 0.6])
    export = np.array([0.05, 0.0, 0.05, 0.1])
    plan = dynamic_program(need, [6.4], [5.0], price, export, n_levels=257)
    grid = np.array(list(itertools.product(np.linspace(-5, 5, 21), repeat=4)))
    batteries = Batteries(np.full(len(grid), 6.4), 5.0)
    costs = np.zeros(len(grid))
    for t in range(4):
        net = need[t, 0] + batteries.step(grid[:, t])
        costs += np.where(net > 0, net * price[t], net * export[t])
    assert plan.cost[0] <= 1.01 * costs.min()  # both search grids of requests
    assert plan.cost[0] >= costs.min() - 0.15  # what a grid of half kilowatts misses


def test_a_plan_is_what_batteries_do() -> None:
    hours = 24 * 10
    environment = GridEnvironment(DATA, reward_scale=1.0, n_hours=hours, observe=False, tariff="tou+feed-in")
    need = (DATA.load.astype(np.float64) - DATA.pv)[:hours]
    prices = environment.tariff.import_price[:hours, 0], environment.tariff.export_price[:hours, 0]
    plan = dynamic_program(need, DATA.battery_kwh, DATA.battery_kw, *prices, n_levels=65)
    outcome = run(environment, Requests(plan.requests))
    np.testing.assert_allclose(outcome.net, need + plan.balance, atol=1e-5)
    assert outcome.home_costs() == pytest.approx(plan.cost, rel=1e-5)
    assert outcome.charge is not None
    np.testing.assert_allclose(outcome.charge, plan.energy_kwh / DATA.battery_kwh, atol=1e-5)
    outer = linear_program(need, DATA.battery_kwh, DATA.battery_kw, *prices)
    assert (outer.cost <= plan.cost).all()
    for rule in (SelfConsumption(), TimeOfUseFill(spread=True)):
        assert (plan.cost <= run(environment, rule).home_costs()).all()


def test_each_home_by_its_own_battery_and_price() -> None:
    rng = np.random.default_rng(2)
    need, price = rng.uniform(-3, 3, (48, 4)), rng.uniform(0.1, 0.5, (48, 4))
    capacity, power = [6.4, 0.0, 12.8, 6.4], [5.0, 0.0, 5.0, 5.0]
    together = dynamic_program(need, capacity, power, price, n_levels=33, end_value=0.1)
    for home in range(4):
        alone = dynamic_program(
            need[:, [home]],
            capacity[home : home + 1],
            power[home : home + 1],
            price[:, home],
            n_levels=33,
            end_value=0.1,
        )
        np.testing.assert_array_equal(together.requests[:, home], alone.requests[:, 0])
    assert not together.balance[:, 1].any()


def test_what_is_left_at_the_end_has_its_value() -> None:
    need, price = np.zeros((2, 1)), np.array([0.1, 0.3])
    assert dynamic_program(need, [6.4], [5.0], price).energy_kwh[-1, 0] == 0
    assert dynamic_program(need, [6.4], [5.0], price, end_value=0.2).energy_kwh[-1, 0] > 4


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(need=np.zeros(5)), "need must be load minus PV"),
        (dict(need=np.full((2, 1), np.nan)), "need must be finite, not so in hour 0"),
        (dict(import_price=np.zeros(3)), "import_price must be finite and of shape"),
        (dict(export_price=0.3), "export_price must nowhere be above"),
        (dict(capacity_kwh=[1.0, 2.0]), "capacity_kwh must be one number or one per home"),
        (dict(n_levels=1), "n_levels must be between 2 and 2000"),
    ],
)
def test_bad_problems(wrong: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = dict(need=np.zeros((2, 1)), capacity_kwh=[6.4], power_kw=[5.0], import_price=[0.1, 0.2])
    with pytest.raises(InputError, match=message):
        dynamic_program(**(right | wrong))
