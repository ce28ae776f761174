"""Rollouts against each candidate living through each window alone."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.agents.candidates import Candidates
from trulysparse.grid.agents.policy import ActionMap, Agents
from trulysparse.grid.agents.rollout import EnvironmentMaker, Rollouts
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data
from trulysparse.grid.scenario import scenario_of

DATA = sample_data(4)
HOURS = 14
WINDOWS = [0, 706, 2010]


def fleet(n_agents, n_actions=1):
    sizes = (24, 8, n_actions)
    return ts.Fleet(n_agents, sizes, density=0.4, activation="tanh", output="identity", seed=1, threads=1)


def perturbed(net, count, columns):
    candidates = Candidates(net, count, columns, threads=1)
    rng = np.random.default_rng(0)
    for each in candidates.fleets:
        for layer in each.layers:
            layer.values += 0.5 * rng.standard_normal(layer.values.shape).astype(np.float32)
    return candidates


def alone(maker, candidates, homes, network_of, everybody, action_map, **options):
    """Cost of each home and candidate, (homes, K), one window and candidate after the other."""
    costs = np.zeros((len(homes), candidates.count))
    for k, net in enumerate(candidates.fleets):
        agents = Agents(net, action_map, network_of)
        for first in WINDOWS:
            environment = GridEnvironment(
                scenario_of(DATA).select(np.asarray(everybody)),
                first_hour=first,
                n_hours=HOURS,
                reward_scale=maker.reward_scale[everybody],
                **options,
            )
            observations, ended = environment.reset(), False
            places = [list(everybody).index(home) for home in homes]
            while not ended:
                actions = np.tile(environment.start_actions, (len(everybody), 1))
                actions[places] = agents.act(np.ascontiguousarray(observations[places]))
                step = environment.step(actions)
                costs[:, k] -= step.rewards[places]
                observations, ended = step.observations, step.ended
            left = environment.batteries.energy_kwh * 0.95 * DATA.price.min() / maker.reward_scale[everybody]
            costs[:, k] -= left[places]
    return costs


def test_stored_energy_is_worth_what_training_hours_say():
    counted = np.arange(8760) >= 3000
    price = np.where(counted, 0.3, 0.1)
    maker = EnvironmentMaker(DATA, {"tariff": price}, counted)
    np.testing.assert_allclose(maker.unit * maker.reward_scale, 0.95 * 0.3)


@pytest.mark.parametrize("homes", [pytest.param([0, 1, 2, 3], marks=pytest.mark.slow), [2, 0]])
def test_candidates_cost_what_they_cost_alone(homes):
    maker, action_map = EnvironmentMaker(DATA), ActionMap([-1.0])
    rollouts = Rollouts(maker, homes, len(homes), action_map)
    candidates = perturbed(fleet(len(homes)), 4, rollouts.columns(3))
    found = rollouts.costs(candidates, WINDOWS, HOURS)
    want = alone(maker, candidates, homes, np.arange(len(homes)), homes, action_map)
    np.testing.assert_allclose(found, want, rtol=2e-5, atol=1e-4)
    assert np.ptp(want, axis=1).min() > 0.01  # candidates differ
    np.testing.assert_array_equal(rollouts.costs(candidates, WINDOWS, HOURS), found)


def test_a_shared_network_is_charged_for_all_homes():
    maker, action_map = EnvironmentMaker(DATA), ActionMap([-1.0])
    rollouts = Rollouts(maker, [3, 1, 2], 1, action_map)
    candidates = perturbed(fleet(1), 4, rollouts.columns(3))
    want = alone(maker, candidates, [3, 1, 2], [0, 0, 0], [3, 1, 2], action_map)
    np.testing.assert_allclose(rollouts.costs(candidates, WINDOWS, HOURS), want.sum(0, keepdims=True), rtol=2e-5)


def test_coupled_homes_live_beside_all_others_and_candidates_beside_their_own_kind():
    options = {"tariff": "tou+feed-in", "market": "mid-market", "broadcast": True}
    maker = EnvironmentMaker(DATA, options)
    assert maker.coupled
    action_map = ActionMap(maker.make(np.arange(4), 0, 24).start_actions)
    rollouts = Rollouts(maker, [2, 0], 2, action_map)
    candidates = perturbed(fleet(2, len(action_map.start)), 4, rollouts.columns(3))
    want = alone(maker, candidates, [2, 0], [0, 1], [0, 1, 2, 3], action_map, **options)
    np.testing.assert_allclose(rollouts.costs(candidates, WINDOWS, HOURS), want, rtol=2e-4, atol=1e-3)


def test_environments_of_chosen_homes_have_their_units_and_tariff():
    maker = EnvironmentMaker(DATA, {"tariff": "carbon"})
    made = maker.make([3, 1], 48, 24, copies=2)
    np.testing.assert_allclose(made.reward_scale, maker.reward_scale[[3, 1, 3, 1]])
    assert made.tariff.name == "carbon"
    assert not maker.coupled


def test_training_hours_alone_make_the_unit():
    counted = np.arange(len(DATA.hour)) < 2000
    maker = EnvironmentMaker(DATA, counted=counted)
    net = np.maximum(DATA.load[:2000].astype(float) - DATA.pv[:2000], 0)
    np.testing.assert_allclose(maker.reward_scale, (net * DATA.price[:2000, None]).mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", ["first_hour", "n_hours", "copies", "initial_charge"])
def test_what_training_chooses_is_refused(name):
    with pytest.raises(InputError, match=f"must not have '{name}'"):
        EnvironmentMaker(DATA, {name: 1})


def test_homes_that_agents_cannot_share_evenly_are_refused():
    with pytest.raises(InputError, match="as many for each of 2 agents"):
        Rollouts(EnvironmentMaker(DATA), [0, 1, 2], 2, ActionMap([-1.0]))
