"""What agents draw from their own transitions, against buffers of one agent each."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.rl.fleet_replay import FleetReplay


def filled(rng, n_agents=3, steps=40, capacity=60, n_actions=1, boolean=False, **options):
    """A buffer in which each observation, action and reward says whose and which it is; episodes differ in length."""
    replay = FleetReplay(capacity, 2, n_actions=n_actions, n_envs=n_agents, boolean=boolean, **options)
    agents = np.arange(n_agents)

    def seen(step):
        return np.stack([agents % 2, np.full(n_agents, step % 2)] if boolean else [agents, np.full(n_agents, step)], 1)

    replay.start(seen(0))
    for step in range(1, steps):
        ends = (step + agents) % (5 + agents) == 0
        actions = 100 * agents + step if n_actions == 0 else (100 * agents + step)[:, None]
        replay.add(actions, 1000 * agents + step, seen(step), ends & (agents == 0), ends & (agents > 0), seen(step))
    return replay


@pytest.mark.parametrize("n_actions", [0, 1])
def test_agents_draw_their_own_whole_transitions(rng, n_actions):
    replay = filled(rng, n_actions=n_actions)
    before, after = np.full((2, 3, 2, 64), np.nan, np.float32)
    actions = np.zeros((3, 64), np.int32) if n_actions == 0 else np.full((3, 1, 64), np.nan, np.float32)
    rewards, discounts = replay.sample(rng, 50, before, actions, after)
    for agent in range(3):
        steps = rewards[agent, :50] - 1000 * agent
        np.testing.assert_array_equal(before[agent, 0, :50], agent)
        np.testing.assert_array_equal(before[agent, 1, :50], steps - 1)
        np.testing.assert_array_equal(after[agent, :, :50], [np.full(50, agent), steps])
        np.testing.assert_array_equal(actions[agent].ravel()[:50], 100 * agent + steps)
        ends = (steps + agent) % (5 + agent) == 0
        np.testing.assert_array_equal(discounts[agent, :50], np.where(ends & (agent == 0), 0, np.float32(0.99)))
        assert len(set(steps)) > 8  # of those that a ring of 20 slots holds
    for array in (before, after, actions, rewards, discounts):
        assert not array[..., 50:].any()


def test_rewards_of_several_steps(rng):
    replay = filled(rng, n_steps=3, gamma=0.5)
    before, after = np.zeros((2, 3, 2, 32), np.float32)
    rewards, discounts = replay.sample(rng, 32, before, np.zeros((3, 1, 32), np.float32), after)
    for agent in range(3):
        for column in range(32):
            first = int(before[agent, 1, column]) + 1
            steps = [first]
            while len(steps) < 3 and (steps[-1] + agent) % (5 + agent) and steps[-1] < 39:
                steps.append(steps[-1] + 1)
            wanted = sum(0.5**i * (1000 * agent + step) for i, step in enumerate(steps))
            assert rewards[agent, column] == pytest.approx(wanted)
            assert after[agent, 1, column] == steps[-1]
            terminated = agent == 0 and steps[-1] % 5 == 0
            assert discounts[agent, column] == (0 if terminated else 0.5 ** len(steps))


def test_normalised_and_boolean_observations(rng):
    replay, (before, after) = filled(rng), np.zeros((2, 3, 2, 16), np.float32)
    offset, factor = np.arange(6.0).reshape(3, 2), np.array([[1.0, 2], [3, 4], [5, 6]])
    state = rng.bit_generator.state
    replay.sample(rng, 16, before, np.zeros((3, 1, 16), np.float32), after)
    plain = before.copy()
    rng.bit_generator.state = state
    replay.sample(rng, 16, before, np.zeros((3, 1, 16), np.float32), after, offset=offset, factor=factor)
    np.testing.assert_allclose(before, (plain - offset[:, :, None]) * factor[:, :, None], rtol=1e-6)
    replay = filled(rng, boolean=True)
    rewards, _ = replay.sample(rng, 16, before, np.zeros((3, 1, 16), np.float32), after)
    steps = rewards - 1000 * np.arange(3)[:, None]
    np.testing.assert_array_equal(before[:, 0], np.repeat([[0], [1], [0]], 16, axis=1))
    np.testing.assert_array_equal(after[:, 1], steps % 2)


def test_every_transition_that_is_held_is_as_likely(rng):
    replay, (before, after) = filled(rng, steps=15), np.zeros((2, 3, 2, 4096), np.float32)
    rewards, _ = replay.sample(rng, 4096, before, np.zeros((3, 1, 4096), np.float32), after)
    for agent in range(3):
        _, counts = np.unique(rewards[agent], return_counts=True)
        assert len(counts) == 14
        assert counts.min() > 0.7 * 4096 / 14


def test_an_agent_without_transitions_is_named(rng):
    replay = FleetReplay(30, 1, n_actions=1, n_envs=2)
    replay.start(np.zeros((2, 1)))
    replay.add([[0], [0]], [0, 0], [[0], [0]], [False] * 2, [False] * 2, [[0], [0]], valid=[True, False])
    with pytest.raises(InputError, match="agent 1 has none"):
        replay.draw(rng, 4)
