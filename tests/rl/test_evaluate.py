from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

from counting_environment import CountingEnvironment, StubAgent, transitions  # noqa: E402
from trulysparse.rl.dqn import DQN  # noqa: E402
from trulysparse.rl.evaluate import evaluate_policy  # noqa: E402
from trulysparse.rl.td3 import TD3  # noqa: E402

MODES = list(AutoresetMode)


class Constant:
    """Stable-Baselines3's predict, of a policy that always does the same."""

    def __init__(self, action):
        self.action, self.calls = action, []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.calls.append((np.array(observation), state, np.array(episode_start), deterministic))
        action = np.full((len(observation), 1), self.action) if np.ndim(observation) == 2 else [self.action]
        return action, (0 if state is None else state + 1)


def episodes(number, length, n):
    """Returns and lengths of the first n episodes of a CountingEnvironment."""
    found, rewards = [], []
    for row in transitions(number, length, 1000):
        rewards.append(row[3])
        if row[4] or row[5]:
            found.append((sum(rewards), len(rewards)))
            rewards = []
    return found[:n]


def test_mean_and_deviation_of_one_environment():
    expected = episodes(0, 3, 5)
    returns, lengths = evaluate_policy(Constant(0.0), CountingEnvironment(), 5, return_episode_rewards=True)
    assert list(zip(returns, lengths, strict=True)) == expected
    mean, std = evaluate_policy(Constant(0.0), CountingEnvironment(), n_eval_episodes=5)
    assert mean == pytest.approx(np.mean([each for each, _ in expected]))
    assert std == pytest.approx(np.std([each for each, _ in expected]))


@pytest.mark.parametrize("n_episodes", [1, 3, 7, 10])
@pytest.mark.parametrize("mode", MODES)
def test_each_environment_has_its_share(mode, n_episodes):
    lengths = (2, 9, 4)
    env = SyncVectorEnv(
        [lambda i=i, n=n: CountingEnvironment(i, n) for i, n in enumerate(lengths)], autoreset_mode=mode
    )
    returns, steps = evaluate_policy(Constant(0.0), env, n_episodes, return_episode_rewards=True)
    share = [(n_episodes + i) // 3 for i in range(3)]  # as Stable-Baselines3 divides them
    expected = [each for i, n in enumerate(lengths) for each in episodes(i, n, share[i])]
    assert sorted(zip(returns, steps, strict=True)) == sorted(expected)
    assert len(returns) == n_episodes


def test_predict_is_called_as_stable_baselines_calls_it():
    model = Constant(1.0)
    evaluate_policy(model, CountingEnvironment(length=2), 2)
    assert [call[0].shape for call in model.calls] == [(4,)] * 5
    assert [call[1] for call in model.calls] == [None, 0, 1, 2, 3]
    assert [call[2].tolist() for call in model.calls] == [[True], [False], [True], [False], [False]]
    assert all(call[3] is True for call in model.calls)
    model = Constant(1.0)
    evaluate_policy(model, SyncVectorEnv([CountingEnvironment] * 2), 2, deterministic=False)
    assert model.calls[0][0].shape == (2, 4)
    assert model.calls[0][0].dtype == np.float32
    assert model.calls[0][3] is False


def test_actions_are_the_environments_own():
    env = CountingEnvironment(length=3)
    model = Constant(5.5)  # the space is [-2, 6]
    evaluate_policy(model, env, 1)
    assert [call[0][3] for call in model.calls] == [-1, 5.5, 5.5]


def test_seed():
    first = evaluate_policy(Constant(0.5), "Pendulum-v1", 2)
    assert first == evaluate_policy(Constant(0.5), "Pendulum-v1", 2)
    assert first == evaluate_policy(Constant(0.5), gymnasium.make("Pendulum-v1"), 2, seed=0)
    assert first != evaluate_policy(Constant(0.5), "Pendulum-v1", 2, seed=1)
    env = CountingEnvironment()
    evaluate_policy(Constant(0.5), env, 1, seed=None)
    evaluate_policy(Constant(0.5), env, 1, seed=4)
    assert env.seeds == [None, None, 4, None]


def test_choices():
    agent = StubAgent("CartPole-v1", "dqn")
    mean, _ = evaluate_policy(agent, "CartPole-v1", 5)
    assert 8 <= mean <= 11  # always pushing to one side


@pytest.mark.parametrize("discrete", [False, True])
def test_agents_and_policies_in_one_and_in_several_environments(discrete):
    env = CountingEnvironment(discrete=discrete)
    agent = (DQN if discrete else TD3)(env, hidden_layer_sizes=(16,), density=0.5, seed=0)
    several = SyncVectorEnv([lambda: CountingEnvironment(discrete=discrete)] * 3)
    for model in (agent, agent.freeze()):
        assert evaluate_policy(model, CountingEnvironment(discrete=discrete), 2, return_episode_rewards=True) == (
            [6.0, 410.0],
            [3, 4],
        )
        _, std = evaluate_policy(model, several, 3)
        assert std == 0  # the first episode of each, or, of environments that were used, the same one


@pytest.mark.parametrize("env", ["CartPole-v1", "Acrobot-v1", "MountainCarContinuous-v0"])
@pytest.mark.parametrize("algorithm, learns_in", [(TD3, "Pendulum-v1"), (DQN, "MountainCar-v0")])
def test_environments_of_other_spaces_are_refused(algorithm, learns_in, env):
    agent = algorithm(learns_in, hidden_layer_sizes=(16,), density=0.5, seed=0)
    for model in (agent, agent.freeze()):
        with pytest.raises(InputError, match="env must have the spaces of the agent"):
            evaluate_policy(model, env, 1)


@pytest.mark.parametrize(
    "model, env, options, message",
    [
        (3, "Pendulum-v1", {}, "model must have predict"),
        (Constant(0), "NoSuchThing-v0", {}, "id of a registered environment"),
        (Constant(0), "Pendulum-v1", dict(n_eval_episodes=0), "n_eval_episodes must be at least 1"),
        (Constant(0), "Pendulum-v1", dict(deterministic=None), "deterministic must be True or False"),
        (Constant(0), "Pendulum-v1", dict(seed=-1), "seed must be at least 0"),
    ],
)
def test_bad_arguments(model, env, options, message):
    with pytest.raises(InputError, match=message):
        evaluate_policy(model, env, **options)


def test_actions_of_another_shape():
    class Wrong(Constant):
        def predict(self, *given, **options):
            return np.zeros(3), None

    with pytest.raises(InputError, match=r"model.predict must give actions of shape \(1, 1\), not \(3,\)"):
        evaluate_policy(Wrong(0), CountingEnvironment())


def test_number_that_is_not_finite():
    env = CountingEnvironment()
    env.broken[0, 2] = np.array([0, 0, np.nan, 0])
    with pytest.raises(InputError, match="is nan at step 2"):
        evaluate_policy(Constant(0), env)


def test_same_figures_as_stable_baselines():
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    for n in (1, 5):
        theirs = evaluation.evaluate_policy(Constant(0.0), CountingEnvironment(length=4), n, warn=False)
        assert theirs == pytest.approx(evaluate_policy(Constant(0.0), CountingEnvironment(length=4), n))
    small = dict(hidden_layer_sizes=(16,), density=0.5, seed=0)
    for agent in (TD3(CountingEnvironment(), **small), DQN(CountingEnvironment(discrete=True), **small)):
        env, same = (CountingEnvironment(discrete=agent.spaces.discrete) for _ in range(2))
        theirs = evaluation.evaluate_policy(agent, env, 3, warn=False)
        assert theirs == pytest.approx(evaluate_policy(agent, same, 3))
        policy = agent.freeze()
        assert theirs == evaluation.evaluate_policy(policy, type(env)(discrete=agent.spaces.discrete), 3, warn=False)


def test_each_agent_of_a_fleet_has_an_environment_and_an_episode():
    make = lambda n: SyncVectorEnv([lambda: CountingEnvironment(length=3)] * n)  # noqa: E731
    agent = TD3(make(3), fleet=True, hidden_layer_sizes=(8,))
    for model in (agent, agent.freeze()):
        assert len(evaluate_policy(model, make(3), 3, return_episode_rewards=True)[0]) == 3
        with pytest.raises(InputError, match="env must be an environment for each of 3 agents, not 4"):
            evaluate_policy(model, make(4), 4)
        with pytest.raises(InputError, match="n_eval_episodes must be at least 3, one for each agent, not 2"):
            evaluate_policy(model, make(3), 2)
        with pytest.raises(InputError, match="observation"):
            evaluate_policy(model, SyncVectorEnv([lambda: gymnasium.make("Pendulum-v1")] * 3), 3)
