"""What rules ask of batteries, hour by hour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grid_files import other_future
from trulysparse.errors import InputError
from trulysparse.grid.baselines.community import CommunityFill
from trulysparse.grid.baselines.mpc import PredictiveControl
from trulysparse.grid.baselines.rules import (
    BasicRBC,
    LateSelfConsumption,
    NoControl,
    Requests,
    Rule,
    SelfConsumption,
    TimeOfUse,
    TimeOfUseFill,
)
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)
DAYS = 5
PEAK = range(15, 20)


def requested(rule: Rule, information: str = "follow") -> tuple[Any, Any, Any]:
    """What was asked (T, H), load minus PV, and charge at each hour's beginning."""
    environment = GridEnvironment(DATA, reward_scale=1.0, n_hours=24 * DAYS, observe=False, information=information)
    environment.reset()
    rule.start(environment)
    asked, charges = [], []
    for _ in range(24 * DAYS):
        charges.append(environment.batteries.charge.copy())
        asked.append(rule.step(environment).requested.copy())
    need = (DATA.load.astype(float) - DATA.pv)[: 24 * DAYS]
    return np.array(asked), need, np.array(charges)


def test_no_control_and_the_basic_rule_look_at_nothing() -> None:
    assert not requested(NoControl())[0].any()
    asked = requested(BasicRBC())[0]
    for t, hour in enumerate(DATA.hour[: 24 * DAYS]):
        share = -0.08 if 9 <= hour + 1 <= 21 else 0.091
        np.testing.assert_allclose(asked[t], share * DATA.battery_kw)


def test_self_consumption_follows_the_hour_or_the_last_one() -> None:
    asked, need, _ = requested(SelfConsumption())
    np.testing.assert_allclose(asked, -need, atol=1e-6)
    asked, need, _ = requested(LateSelfConsumption(), "setpoint")
    assert not asked[0].any()
    np.testing.assert_allclose(asked[1:], np.clip(-need[:-1], -DATA.battery_kw, DATA.battery_kw), atol=1e-5)


def test_time_of_use_rules_by_hours_before_the_peak() -> None:
    # January: peak prices from 15 to 19 on every day.
    hours = DATA.hour[: 24 * DAYS]
    surplus = lambda need: np.maximum(-need, 0)  # noqa: E731
    asked, need, _ = requested(TimeOfUse())
    peak = np.isin(hours, PEAK)[:, None]
    np.testing.assert_allclose(asked, np.where(peak, -need, surplus(need)), atol=1e-6)
    asked, need, _ = requested(TimeOfUseFill(3, 6))
    filling, waiting = np.isin(hours, [12, 13, 14])[:, None], np.isin(hours, [9, 10, 11])[:, None]
    expected = np.where(filling, surplus(need) + DATA.battery_kw, np.where(waiting, surplus(need), -need))
    np.testing.assert_allclose(asked, expected, atol=1e-6)


def test_filling_spread_or_capped() -> None:
    asked, need, charge = requested(TimeOfUseFill(2, 6, spread=True))
    hours = DATA.hour[: 24 * DAYS]
    for hour, left in ((13, 2), (14, 1)):
        at = np.flatnonzero(hours == hour)
        drawn = np.clip((1 - charge[at]) * DATA.battery_kwh / 0.93 / left, 0, DATA.battery_kw)
        np.testing.assert_allclose(asked[at] - np.maximum(-need[at], 0), drawn, atol=1e-5)
    asked, need, _ = requested(TimeOfUseFill(2, most_kw=1.5))
    at = np.flatnonzero(hours == 13)
    np.testing.assert_allclose(asked[at] - np.maximum(-need[at], 0), 1.5, atol=1e-5)


def test_random_hours_are_each_homes_own_and_the_seeds() -> None:
    def begins(seed: int) -> list[float]:
        asked, need, _ = requested(TimeOfUseFill((2, 6), seed=seed))
        fills = asked - np.maximum(-need, 0) > 1
        return [float(DATA.hour[: 24 * DAYS][fills[:, home]].min()) for home in range(3)]

    first = begins(0)
    drawn = np.random.default_rng(0).integers(2, 7, 3)
    assert first == (15 - drawn).tolist() == begins(0)
    assert len({tuple(begins(seed)) for seed in (1, 2)}) > 1


def test_a_plan_is_asked_for_as_it_is() -> None:
    plan = np.random.default_rng(0).uniform(-3, 3, (24 * DAYS, 3))
    np.testing.assert_array_equal(requested(Requests(plan))[0], plan)
    environment = GridEnvironment(DATA, reward_scale=1.0, n_hours=24)
    with pytest.raises(InputError, match="requests must be of shape"):
        run(environment, Requests(plan))
    assert run(environment, Requests(plan[:24], "mine")).information == "foresight"


@pytest.mark.parametrize(
    "wrong", [dict(fill_hours=0), dict(fill_hours=(3, 2)), dict(hold_hours=-1), dict(most_kw=0), dict(spread=1)]
)
def test_bad_rules(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TimeOfUseFill(**wrong)


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (BasicRBC, {}),
        (TimeOfUse, {}),
        (lambda: TimeOfUseFill((1, 3), spread=True), {}),
        (LateSelfConsumption, {"information": "setpoint"}),
        (lambda: PredictiveControl(n_levels=9), {}),
        (lambda: PredictiveControl(n_levels=9), {"information": "setpoint"}),
        (CommunityFill, {"market": "netting", "broadcast": True}),
    ],
)
def test_rules_do_not_know_the_hour_that_they_decide_for(rule: Any, options: dict[str, Any]) -> None:
    """Up to the hour from which loads, PV, carbon and weather differ, decisions are the same, and that hour's too."""
    first, cut = 180, 180 + 45
    decided = []
    for data in (DATA, other_future(DATA, cut)):
        environment = GridEnvironment(data, first_hour=first, n_hours=96, reward_scale=1.0, observe=False, **options)
        environment.reset()
        made = rule()
        made.start(environment)
        kept = []
        for _ in range(cut - first + 27):
            step = made.step(environment)
            asks = isinstance(made, BasicRBC)  # else what is asked follows the hour; decisions are actions
            kept.append(step.requested.copy() if asks else environment._actions.values.copy())
        decided.append(np.array(kept))
    np.testing.assert_array_equal(decided[0][: cut - first + 1], decided[1][: cut - first + 1])
    assert isinstance(made, BasicRBC | TimeOfUse) or (decided[0] != decided[1]).any()
