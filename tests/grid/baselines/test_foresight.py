"""Bounds of environments, of their own tariffs and kinds of customers."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.foresight import needs, perfect_foresight
from trulysparse.grid.baselines.linear_program import linear_program
from trulysparse.grid.baselines.rules import NoControl, TimeOfUseFill
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.feeder import Cable, Feeder, Line, Transformer
from trulysparse.grid.sample import sample_data
from trulysparse.grid.tariff import Tariff

DATA = sample_data(3)


def test_a_bound_of_homes_with_different_prices() -> None:
    prices = np.stack([DATA.price, DATA.price[::-1]], 1)
    tariff = Tariff("two", prices, np.zeros_like(prices), kind=np.array([1, 0, 1]))
    world = GridEnvironment(DATA, tariff=tariff, first_hour=1000, n_hours=96, reward_scale=1.0, observe=False)
    bound, none = perfect_foresight(world), run(world, NoControl())
    outer = linear_program(
        needs(none), DATA.battery_kwh, DATA.battery_kw, prices[1000:1096][:, tariff.kind]  # type: ignore[index]
    )  # fmt: skip
    assert (bound.home_costs() >= outer.cost).all()
    assert (bound.home_costs() < 1.1 * outer.cost).all()
    assert (bound.label, bound.information) == ("perfect foresight", "foresight")
    with pytest.raises(InputError, match="one tariff"):
        perfect_foresight(world, pooled=True)


def test_a_pooled_bound_is_below_all_others_in_a_community() -> None:
    world = GridEnvironment(DATA, market="netting", n_hours=96, reward_scale=1.0, observe=False)
    none = run(world, NoControl())
    pooled, alone = (perfect_foresight(world, pooled=p, no_control=none, n_levels=49) for p in (True, False))
    rule = run(world, TimeOfUseFill())
    assert pooled.community_cost() < min(alone.community_cost(), rule.community_cost())
    assert alone.cost() < pooled.cost()
    for outcome in (rule, alone):
        assert 0 < outcome.community_saving_share(none, pooled) < 1


def test_what_no_plan_is_made_for() -> None:
    with pytest.raises(InputError, match="linear_program"):
        perfect_foresight(GridEnvironment(DATA, tariff="peakfee", n_hours=24, reward_scale=1.0))
    world = GridEnvironment(DATA, n_hours=24, reward_scale=1.0)
    with pytest.raises(InputError, match="details=True"):
        perfect_foresight(world, no_control=run(world, NoControl(), details=False))


def test_there_is_no_bound_of_hours_that_a_flow_without_solution_cut_off() -> None:
    cable = Cable("thin", 500.0, 80.0, 0.0, 50.0)
    weak = Feeder(Transformer(100, 4, 1.2), [Line("busbar", "a", 900, cable)], homes=["a"] * 3)
    world = GridEnvironment(DATA, feeder=weak, n_hours=96, reward_scale=1.0, observe=False)
    assert "diverged" in run(world, NoControl()).details
    with pytest.raises(InputError, match=r"of the environment's 96 hours, not of .* has no solution"):
        perfect_foresight(world)
