"""What agents of an actor and critics have in common."""

from __future__ import annotations

import numpy as np
import pytest

from agent_reference import BOX, filled
from trulysparse.rl.dynamic_capacity import DynamicCapacity
from trulysparse.rl.sac import SAC
from trulysparse.rl.td3 import TD3

SMALL = dict(hidden_layer_sizes=(16,), batch_size=8, density=0.5, seed=2)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_the_replay_buffer_forgets_where_the_setting_says_so(algorithm):
    for given in (False, True):
        agent = filled(algorithm(BOX, dynamic_capacity=given, **SMALL))
        before = agent.replay.n_transitions
        if given:
            assert agent.dynamic_capacity.every == 10_000
            agent.dynamic_capacity = DynamicCapacity(0.0, every=50, n_oldest=16, least=20)
        agent.num_timesteps = 64
        agent.update()
        assert agent.replay.n_transitions == before - given * (before // 10)
        assert ("replay/policy_distance" in agent.metrics) == given


def test_the_distance_is_to_the_policy_without_noise():
    agent = filled(SAC(BOX, dynamic_capacity=True, **SMALL))
    rows = agent.replay.oldest(10)
    observations, actions = np.empty((3, 10), np.float32), np.empty((2, 10), np.float32)
    agent.replay.read(rows, observations, actions)
    means = np.tanh(agent.policy.outputs(np.ascontiguousarray(observations.T))[:, :2])
    distance = DynamicCapacity(n_oldest=10).distance(agent.replay, agent.policy)
    assert distance == pytest.approx(np.square(means - actions.T).mean() / 2, rel=1e-5)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_last_comparison_is_kept(algorithm, tmp_path):
    agent = algorithm(BOX, dynamic_capacity=True, **SMALL)
    agent.dynamic_capacity.compared = 7
    agent.save(tmp_path / "a")
    assert algorithm.load(tmp_path / "a").dynamic_capacity.compared == 7
    plain = algorithm(BOX, **SMALL)
    plain.save(tmp_path / "b")
    assert algorithm.load(tmp_path / "b", dynamic_capacity=True).dynamic_capacity.compared == 0


def test_networks_of_each_algorithm():
    td3, sac = TD3(BOX, **SMALL), SAC(BOX, **SMALL)
    assert td3.actor.nets[0].layer_sizes == (3, 16, 2)
    assert sac.actor.nets[0].layer_sizes == (3, 16, 4)
    assert [net.layer_sizes for net in td3.critic.nets] == [(5, 16, 1)] * 2
    assert (len(td3.actor.targets), len(sac.actor.targets)) == (1, 0)
    assert td3.acting_learner is td3.actor
