"""Predictive control: what it forecasts, that it does not look ahead, and that it plans well where days are alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.foresight import perfect_foresight
from trulysparse.grid.baselines.mpc import PredictiveControl
from trulysparse.grid.baselines.rules import NoControl
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.sample import sample_data

DATA = sample_data(2)


def environment(data: Any = DATA, first: int = 0, hours: int = 96, **options: Any) -> GridEnvironment:
    return GridEnvironment(data, first_hour=first, n_hours=hours, reward_scale=1.0, observe=False, **options)


def test_the_forecast_is_the_mean_of_seven_days() -> None:
    need = DATA.load.astype(np.float64) - DATA.pv
    for first in (500, 30):
        world, rule = environment(first=first), PredictiveControl(horizon=2, n_levels=5)
        world.reset()
        rule.start(world)
        for t in range(30):
            for ahead in (0, 5, 23):
                hours = [first + t + ahead - 24 * day for day in range(1, 8)]
                expected = np.mean([need[hour] for hour in hours if hour >= 0] or [np.zeros(2)], axis=0)
                np.testing.assert_allclose(rule.forecast()[ahead], expected, atol=1e-5)
            rule.step(world)


@pytest.mark.parametrize("information", ["follow", "setpoint"])
def test_no_hour_is_known_before_it_comes(information: str) -> None:
    other = replace(DATA, load=DATA.load.copy())
    other.load[40:] += 1
    runs = [
        run(environment(data, hours=48, information=information), PredictiveControl(n_levels=9))
        for data in (DATA, other)
    ]
    for name in ("net", "charge"):
        a, b = (getattr(outcome, name) for outcome in runs)
        np.testing.assert_array_equal(a[:40], b[:40])
    if information == "setpoint":  # that hour's balance was decided without its load
        balances = [outcome.net - outcome.load + outcome.pv for outcome in runs]
        np.testing.assert_allclose(balances[0][40], balances[1][40], atol=1e-5)
    assert (runs[0].net[40:] != runs[1].net[40:]).any()


@pytest.mark.parametrize("known, tariff", [(False, "tou+feed-in"), (True, "tou")])
def test_where_days_are_alike_it_is_close_to_the_bound(known: bool, tariff: str) -> None:
    days = np.tile(np.arange(24), 365)
    alike = replace(DATA, load=DATA.load[days + 24 * 20], pv=DATA.pv[days + 24 * 20], price=DATA.price[days + 24 * 20])
    world = environment(alike, first=168, hours=240, tariff=tariff)
    none, bound = run(world, NoControl()), perfect_foresight(world)
    outcome = run(world, PredictiveControl(known=known))
    assert outcome.saving_share(none, bound) > 0.93
    assert outcome.information == ("foresight" if known else "follow")


def test_bad_arguments() -> None:
    for wrong in (dict(horizon=25), dict(known=1), dict(n_levels=1)):
        with pytest.raises(InputError, match=next(iter(wrong))):
            PredictiveControl(**wrong)  # type: ignore[arg-type]
