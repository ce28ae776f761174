"""The replay buffer of RLx2, compared with its rule over lists."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.rl.dynamic_capacity import DynamicCapacity
from trulysparse.rl.replay import ReplayBuffer


class Linear:
    """A policy whose actions are tanh(weights @ observation)."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def outputs(self, observations: np.ndarray) -> np.ndarray:
        assert observations.flags.c_contiguous
        return (observations @ self.weights.T).astype(np.float32)


def played(rng, n_envs, steps, capacity=5000):
    """A buffer, and its transitions as lists of (observation, action), the oldest first."""
    replay = ReplayBuffer(capacity * n_envs, 3, n_actions=2, n_envs=n_envs)
    observations = rng.standard_normal((n_envs, 3)).astype(np.float32)
    replay.start(observations)
    listed = []
    for _ in range(steps):
        actions = rng.uniform(-1, 1, (n_envs, 2)).astype(np.float32)
        following = rng.standard_normal((n_envs, 3)).astype(np.float32)
        replay.add(actions, np.zeros(n_envs), following, *np.zeros((2, n_envs), bool), following)
        listed += zip(observations, actions, strict=True)
        observations = following
    return replay, listed


@pytest.mark.parametrize("n_envs", [1, 4])
@pytest.mark.parametrize("n_oldest", [1, 64, 10_000])
def test_distance_is_half_the_mean_squared_difference_of_the_oldest(rng, n_envs, n_oldest):
    replay, listed = played(rng, n_envs, 100)
    policy = Linear(rng.standard_normal((2, 3)))
    expected = [
        (np.tanh(policy.weights @ observation.astype(float)) - action) ** 2 for observation, action in listed[:n_oldest]
    ]
    distance = DynamicCapacity(n_oldest=n_oldest).distance(replay, policy)
    assert distance == pytest.approx(np.mean(expected) / 2, rel=1e-5)


def agent_of(replay, policy, steps):
    return SimpleNamespace(replay=replay, policy=policy, num_timesteps=steps, metrics={})


def test_drops_a_tenth_where_the_policy_has_moved_on_and_only_then(rng):
    near, far = Linear(np.zeros((2, 3))), Linear(np.full((2, 3), 9.0))
    for policy, least, dropped in ((near, 100, 0), (far, 100, 50), (far, 500, 0), (far, 499, 50)):
        replay, listed = played(rng, 1, 500)
        capacity = DynamicCapacity(0.3, every=1000, n_oldest=64, least=least)
        agent = agent_of(replay, policy, 1000)
        assert capacity.after_step(agent) == dropped
        assert replay.n_transitions == 500 - dropped
        out = np.zeros((3, 16), np.float32)
        replay.read(replay.oldest(1), out)
        np.testing.assert_array_equal(out[:, 0], listed[dropped][0])
        assert agent.metrics["replay/transitions"] == 500 - dropped
        assert (agent.metrics["replay/policy_distance"] > 0.3) == (policy is far)


def test_compares_once_in_so_many_steps_however_they_are_counted(rng):
    replay, _ = played(rng, 4, 200)
    capacity = DynamicCapacity(0.1, every=100, n_oldest=64, least=10)
    agent = agent_of(replay, Linear(np.full((2, 3), 9.0)), 0)
    drops = []
    for steps in (*range(0, 300, 7), 300, 301):  # steps of several environments leave out numbers
        agent.num_timesteps = steps
        if capacity.after_step(agent):
            drops.append(steps)
    assert drops == [105, 203, 300]
    assert replay.n_transitions == 800 - 80 - 72 - 64


def test_empty_buffer_is_left_alone():
    agent = agent_of(ReplayBuffer(10, 3, n_actions=2), None, 20_000)
    assert DynamicCapacity().after_step(agent) == 0


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"threshold": -1}, r"threshold must lie in \[0, inf\)"),
        ({"every": 0}, "every must be at least 1"),
        ({"n_oldest": 0}, "n_oldest must be at least 1"),
        ({"least": -1}, "least must be at least 0"),
        ({"share": 0}, r"share must lie in \(0, 1\)"),
        ({"share": 1}, r"share must lie in \(0, 1\)"),
    ],
)
def test_arguments_out_of_range(change, problem):
    with pytest.raises(ts.InputError, match=problem):
        DynamicCapacity(**change)
