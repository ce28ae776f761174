"""Homes as environments of rl's agents."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.rl_environments import GridEnvironments
from trulysparse.grid.sample import sample_data

DATA = sample_data(3)


def test_transitions_are_the_environments_steps_and_its_end_truncates():
    environments = GridEnvironments(GridEnvironment(DATA, n_hours=30))
    alone = GridEnvironment(DATA, n_hours=30)
    np.testing.assert_array_equal(environments.reset(seed=3), alone.reset())
    rng, returns = np.random.default_rng(0), np.zeros(3)
    for hour in range(70):
        outputs = rng.uniform(-1, 1, (3, 1)).astype(np.float32)
        transition = environments.step(outputs)
        step = alone.step(-0.8 + outputs * np.where(outputs > 0, 1.8, 0.2))
        np.testing.assert_allclose(transition.rewards, step.rewards, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(transition.next_observations, step.observations, rtol=1e-5, atol=1e-6)
        returns += step.rewards
        assert not transition.terminated.any()
        assert transition.all_valid
        if hour in (29, 59):
            assert transition.truncated.all()
            assert transition.ended == [0, 1, 2]
            assert transition.lengths == [30] * 3
            np.testing.assert_allclose(transition.returns, returns, rtol=1e-5)
            np.testing.assert_array_equal(transition.observations, alone.reset())
            returns[:] = 0
        else:
            assert not transition.truncated.any()
            assert transition.ended == []
            assert transition.observations is transition.next_observations


def test_outputs_and_choices_become_actions():
    homes = GridEnvironment(DATA, tariff="community", n_hours=5)
    continuous = GridEnvironments(homes)
    actions = continuous.actions_of(np.float32([[0, 0.5], [1, -1], [-1, 1]]))
    np.testing.assert_allclose(actions, [[-0.8, 0.5], [1, -1], [-1, 1]], atol=1e-6)
    half = continuous.actions_of(np.float32([[-0.5, 0], [0.5, 0], [0, 0]]))
    np.testing.assert_allclose(half[:, 0], [-0.9, 0.1, -0.8], atol=1e-6)
    chosen = GridEnvironments(homes, choices=(-1, 0, 0.5))
    assert chosen.spaces.discrete
    assert chosen.spaces.n_actions == 3
    np.testing.assert_array_equal(chosen.actions_of([2, 0, 1]), [[0.5, 0], [-1, 0], [0, 0]])
    chosen.reset(seed=0)
    transition = chosen.step(np.array([2, 0, 1]))
    again = GridEnvironment(DATA, tariff="community", n_hours=5)
    again.reset()
    np.testing.assert_array_equal(transition.rewards, again.step(chosen.actions_of([2, 0, 1])).rewards)


def test_windows_are_drawn_by_home_or_by_community():
    windows = np.arange(0, 8000, 500)
    for options, distinct in (({}, True), ({"market": "netting"}, False)):
        environments = GridEnvironments(GridEnvironment(DATA, n_hours=4, copies=2, **options), windows=windows)
        drawn = []
        for _ in range(2):
            environments.reset(seed=5)
            drawn.append([])
            for _ in range(12):
                environments.step(np.zeros((6, environments.spaces.n_actions), np.float32))
                drawn[-1].append(np.broadcast_to(environments.env.first_hour, 6).copy())
        np.testing.assert_array_equal(drawn[0], drawn[1])
        starts = np.array(drawn[0])
        assert set(starts.ravel()) <= set(windows)
        assert len(set(starts.ravel())) > 3
        assert (starts[:, :3] != starts[:, :1]).any() == distinct
        assert (starts[:, 3] != starts[:, 0]).any()


def test_an_agent_learns_in_them():
    environments = GridEnvironments(GridEnvironment(DATA, n_hours=24), choices=(-1, 0, 1))
    agent = ts.rl.DQN(
        environments, density=0.5, hidden_layer_sizes=(16,), evolution=None, seed=1, learning_starts=30, batch_size=16
    )
    agent.learn(180)
    assert agent.num_timesteps == 180
    assert agent.n_updates > 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"reach": 2}, "reach must lie in"),
        ({"choices": [0.5]}, "choices must be at least two"),
        ({"choices": [-2, 0]}, "choices must be numbers between -1 and 1"),
        ({"windows": []}, "windows must be rows"),
        ({"windows": [8755]}, "windows must lie between 0 and 8736"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        GridEnvironments(GridEnvironment(DATA, n_hours=24), **options)


def test_other_environments_are_refused():
    with pytest.raises(InputError, match="environment must be a GridEnvironment"):
        GridEnvironments("Pendulum-v1")
