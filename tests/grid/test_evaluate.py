"""A run against its own loop over steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.baselines.rules import NoControl, SelfConsumption
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.evaluate import run
from trulysparse.grid.feeder import Feeder
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)


class Half:
    """Agents that give half of what homes lack."""

    def act(self, observations: Any) -> Any:
        assert observations.shape[0] == 3
        return np.full((3, 1), -0.5, np.float32)


def test_a_run_keeps_what_steps_gave() -> None:
    environment = GridEnvironment(DATA, reward_scale=1.0, first_hour=100, n_hours=72)
    outcome = run(environment, Half())
    environment.reset()
    cost = 0.0
    for t in range(72):
        step = environment.step(np.full((3, 1), -0.5))
        np.testing.assert_array_equal(outcome.net[t], step.net.astype(np.float32))
        assert outcome.pv is not None
        assert outcome.load is not None
        assert outcome.charge is not None
        np.testing.assert_allclose(outcome.load[t] - outcome.pv[t] + step.balance, step.net, atol=1e-6)
        np.testing.assert_array_equal(outcome.charge[t], environment.batteries.charge.astype(np.float32))
        cost += step.cost.sum()
    assert outcome.cost() == pytest.approx(cost, rel=1e-6)
    assert (outcome.label, outcome.information, outcome.tariff, outcome.names) == (
        "agents",
        "follow",
        "tou",
        DATA.names,
    )
    assert (outcome.first_hour, outcome.n_hours) == (100, 72)
    np.testing.assert_array_equal(outcome.price[:, 0], DATA.price[100:172])
    assert outcome.stored_kwh is not None
    np.testing.assert_array_equal(outcome.stored_kwh, [np.zeros(3), environment.batteries.energy_kwh])


def test_a_function_a_rule_and_less_memory() -> None:
    environment = GridEnvironment(DATA, reward_scale=1.0, n_hours=48, observe=False)
    told: list[float] = []
    rule = run(
        environment, SelfConsumption(), details=False, progress=lambda what, done, total: told.append(done / total)
    )
    function = run(environment, lambda environment: np.full((3, 1), -1.0), label="own")
    np.testing.assert_array_equal(rule.net, function.net)
    assert (rule.label, function.label) == ("self-consumption", "own")
    assert rule.charge is None
    assert function.charge is not None
    assert told[-1] == 1


def test_a_peak_fee_is_what_steps_charged() -> None:
    environment = GridEnvironment(DATA, reward_scale=1.0, first_hour=700, n_hours=96, tariff="peakfee")
    outcome = run(environment, NoControl())
    environment.reset()
    cost = sum(environment.step(None).cost.sum() for _ in range(96))
    assert outcome.cost() == pytest.approx(cost, rel=1e-6)


def test_actors_and_environments_that_cannot_run() -> None:
    environment = GridEnvironment(DATA, reward_scale=1.0, n_hours=24, observe=False)
    with pytest.raises(InputError, match="actor must be a Rule"):
        run(environment, "rule")
    with pytest.raises(InputError, match="observes"):
        run(environment, Half())
    with pytest.raises(InputError, match="different hours"):
        run(GridEnvironment(DATA, reward_scale=1.0, n_hours=24, first_hour=[0, 1, 2]), NoControl())
    with pytest.raises(InputError, match="'self-consumption' is for information='follow', not 'setpoint'"):
        run(GridEnvironment(DATA, reward_scale=1.0, n_hours=24, information="setpoint"), SelfConsumption())


def test_a_feeder_is_kept_by_hour_and_home() -> None:
    feeder = Feeder.named("landnetz")
    data = sample_data(feeder.n_homes)
    world = GridEnvironment(data, feeder=feeder, n_hours=30, reward_scale=1.0, observe=False)
    outcome = run(world, SelfConsumption())
    world.reset()
    rule = SelfConsumption()
    rule.start(world)
    steps = []
    for _ in range(30):
        step = rule.step(world)
        steps.append((step.voltage.copy(), float(step.transformer_loading.max()), float(step.line_loading.max())))
    voltages = np.array([voltage for voltage, _, _ in steps])
    assert outcome.voltage is not None
    assert outcome.home_voltage is not None
    assert outcome.transformer is not None
    assert outcome.line is not None
    np.testing.assert_allclose(outcome.voltage, [voltages.min(1), voltages.max(1)], rtol=1e-6)
    np.testing.assert_allclose(outcome.home_voltage, [voltages.min(0), voltages.max(0)], rtol=1e-6)
    np.testing.assert_allclose(outcome.transformer[:, 0], [loading for _, loading, _ in steps], rtol=1e-6)
    np.testing.assert_allclose(outcome.line, [loading for _, _, loading in steps], rtol=1e-6)


def test_a_flow_without_solution_ends_the_run() -> None:
    feeder = Feeder.named("landnetz")
    data = sample_data(feeder.n_homes)
    load = data.load.copy()
    load[20] = 90.0
    world = GridEnvironment(replace(data, load=load), feeder=feeder, n_hours=48, reward_scale=1.0, observe=False)
    outcome = run(world, NoControl())
    assert outcome.n_hours == 21
    assert "20" in outcome.details["diverged"]
    assert outcome.voltage is not None
    assert np.isnan(outcome.voltage[:, 20]).all()
    assert np.isfinite(outcome.voltage[:, :20]).all()
