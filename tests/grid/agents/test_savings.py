"""Rewards as savings add up to those of the environment, but for what no action changes."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.grid.agents.savings import SavingEnvironments
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.rl_environments import GridEnvironments
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)
UNIT = np.array([0.3, 0.5, 0.7])


def lived(environments, gamma, seed):
    """Discounted rewards of an episode of random actions, and the last energy."""
    rng = np.random.default_rng(seed)
    environments.reset(seed=0)
    total = np.zeros(3)
    for hour in range(48):
        if hour == 47:
            energy = environments.env.batteries
        transition = environments.step(rng.uniform(-1, 1, (3, 1)).astype(np.float32))
        total += gamma**hour * transition.rewards
    return total, energy.energy_kwh.copy()


@pytest.mark.parametrize("tariff", ["tou", "tou+feed-in"])
def test_policies_differ_by_what_they_differ_by_in_costs(tariff):
    gamma, shaped, plain = 0.98, [], []
    for seed in (1, 2):
        made = [GridEnvironment(DATA, tariff=tariff, first_hour=500, n_hours=49) for _ in range(2)]
        total, energy = lived(SavingEnvironments(made[0], UNIT, gamma), gamma, seed)
        shaped.append(total - gamma**48 * UNIT * energy)  # what is left at the end is worth nothing in costs
        plain.append(lived(GridEnvironments(made[1]), gamma, seed)[0])
    np.testing.assert_allclose(shaped[0] - shaped[1], plain[0] - plain[1], atol=1e-4)
    assert np.abs(plain[0] - plain[1]).min() > 0.01
    difference = shaped[0] - plain[0]  # what an idle battery costs
    idle = GridEnvironment(DATA, tariff=tariff, first_hour=500, n_hours=49, wear=0)
    idle.reset()
    want = sum(gamma**hour * idle.step(None).rewards for hour in range(48))
    np.testing.assert_allclose(difference, -want, rtol=1e-4)


@pytest.mark.parametrize("options", [{"electric_vehicles": True}, {"heat_pumps": True}, {"curtailment": True}])
def test_what_devices_draw_is_not_given_back(options):
    """Rewards and costs of two policies differ alike, also where these decide on more than a battery."""
    shaped, plain = [], []
    for component in (-1.0, 1.0):
        for kind, kept in ((SavingEnvironments, shaped), (GridEnvironments, plain)):
            made = GridEnvironment(DATA, tariff="tou+feed-in", first_hour=12, n_hours=25, **options)
            more = {"unit": 0.0, "gamma": 0.9} if kind is SavingEnvironments else {}
            environments = kind(made, **more)
            environments.reset(seed=0)
            actions = np.tile(np.float32([-1.0, component]), (3, 1))
            kept.append(sum(environments.step(actions).rewards.astype(np.float64) for _ in range(24)))
    assert np.abs(plain[0] - plain[1]).min() > 0.01
    np.testing.assert_allclose(shaped[0] - shaped[1], plain[0] - plain[1], atol=1e-4)


def test_the_log_has_the_environments_own_returns():
    made = GridEnvironment(DATA, n_hours=24)
    environments = SavingEnvironments(made, 0.3, 0.98)
    environments.reset(seed=0)
    own = np.zeros(3)
    for _ in range(24):
        transition = environments.step(np.zeros((3, 1), np.float32))
    plain = GridEnvironments(GridEnvironment(DATA, n_hours=24))
    plain.reset(seed=0)
    for _ in range(24):
        own += plain.step(np.zeros((3, 1), np.float32)).rewards
    np.testing.assert_allclose(transition.returns, own, rtol=1e-5)
