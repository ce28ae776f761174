"""Rules on a community's sum, against the same written home by home."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.community import CommunityFill, CommunitySum
from trulysparse.grid.baselines.rules import SelfConsumption, TimeOfUseFill
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.sample import sample_data

DATA = sample_data(4)


def environment(**options: Any) -> GridEnvironment:
    chosen: dict[str, Any] = dict(market="netting", broadcast=True, n_hours=72, reward_scale=1.0, observe=False)
    return GridEnvironment(DATA, **(chosen | options))


@pytest.mark.parametrize("communities", [1, 2])
def test_what_is_given_follows_the_broadcast(communities: int) -> None:
    world, rule = environment(communities=communities), CommunityFill(0.5, 3.0, 0.7)
    world.reset()
    rule.start(world)
    given, heard = np.zeros(4), np.zeros(4)
    changed = 0
    for t in range(72):
        hour = int(DATA.hour[t])
        if not 15 <= hour <= 19 or hour == 15:  # the first hour of a peak gives nothing
            given[:] = 0
        else:
            for home in range(4):
                gain = 0.7 if heard[home] < 0 else 3.0 if hour >= 18 else 0.5
                given[home] = min(1.0, max(0.0, given[home] + gain * heard[home]))
        need = DATA.load[t].astype(np.float64) - DATA.pv[t]
        step = rule.step(world)
        if 15 <= hour <= 19:
            np.testing.assert_allclose(step.requested, -need - given * DATA.battery_kw, atol=1e-4)
            changed += bool(given.any())
        size = 4 // communities
        for home in range(4):
            members = slice(home // size * size, home // size * size + size)
            heard[home] = step.net[members].sum() / DATA.battery_kw[members].sum()
    assert changed > 5


def test_batteries_share_the_sum_of_the_hour() -> None:
    world, rule = environment(), CommunitySum()
    world.reset()
    rule.start(world)
    for t in range(48):
        need = float(DATA.load[t].sum(dtype=np.float64) - DATA.pv[t].sum(dtype=np.float64))
        charge = world.batteries.charge.copy()
        step = rule.step(world)
        hour = int(DATA.hour[t])
        filling = np.zeros(4)
        if hour in (13, 14):
            filling = np.clip((1 - charge) * DATA.battery_kwh / 0.93 / (15 - hour), 0, DATA.battery_kw)
            need = min(need, 0)
        np.testing.assert_allclose(step.requested, filling - need * DATA.battery_kw / DATA.battery_kw.sum(), atol=1e-4)
    outcome = run(world, rule)
    assert outcome.information == "foresight"
    assert outcome.community_cost() < run(world, TimeOfUseFill(spread=True)).community_cost()


def test_environments_without_what_the_rule_needs() -> None:
    for options in (dict(broadcast=False), dict(market=None)):
        with pytest.raises(InputError, match="market and broadcast"):
            run(environment(**options), CommunityFill())
    run(environment(broadcast=False), SelfConsumption())
    with pytest.raises(InputError, match="last_gain"):
        CommunityFill(last_gain=-1)
