from __future__ import annotations

import copy

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

from counting_environment import CountingEnvironment, StubAgent, transitions  # noqa: E402
from trulysparse.rl import loop  # noqa: E402
from trulysparse.rl.loop import collect_and_learn, random_actions  # noqa: E402
from trulysparse.rl.replay import ReplayBuffer  # noqa: E402

MODES = list(AutoresetMode)
LENGTHS = (3, 1, 4)


def several(mode: AutoresetMode = AutoresetMode.SAME_STEP, **options) -> SyncVectorEnv:
    return SyncVectorEnv(
        [lambda i=i, n=n: CountingEnvironment(i, n, **options) for i, n in enumerate(LENGTHS)], autoreset_mode=mode
    )


def by_the_rule(total, n_envs, learning_starts, train_freq, gradient_steps):
    """Steps at which Stable-Baselines3 would act by its policy, and learn: its counting, written naively."""
    explored, updated, steps, collected = [], [], 0, 0
    while steps < total:
        if steps >= learning_starts:
            explored.append(steps)
        steps += n_envs
        collected += 1
        if collected == train_freq:
            if steps > learning_starts:
                updated += [steps] * (gradient_steps if gradient_steps >= 0 else collected * n_envs)
            collected = 0
    return explored, updated, steps


@pytest.mark.parametrize("train_freq, gradient_steps", [(1, 1), (4, 1), (1, -1), (4, -1), (3, 2), (2, 0)])
@pytest.mark.parametrize("learning_starts", [0, 1, 10])
@pytest.mark.parametrize("n_envs", [1, 3])
def test_steps_are_counted_as_in_stable_baselines(n_envs, learning_starts, train_freq, gradient_steps):
    env = CountingEnvironment() if n_envs == 1 else several()
    settings = dict(learning_starts=learning_starts, train_freq=train_freq, gradient_steps=gradient_steps)
    agent = StubAgent(env, **settings)
    collect_and_learn(agent, 40)
    explored, updated, steps = by_the_rule(40, n_envs, *settings.values())
    assert agent.explored == explored
    assert agent.updated == updated
    assert agent.num_timesteps == agent.replay.n_transitions == steps


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("mode", [None, *MODES])
def test_memory_holds_what_happened(mode, discrete):
    env = CountingEnvironment(discrete=discrete) if mode is None else several(mode, discrete=discrete)
    agent = StubAgent(env, "dqn" if discrete else "td3")
    collect_and_learn(agent, 70)
    assert agent.num_timesteps == agent.replay.n_transitions
    ended = 0
    for number, rows in enumerate(agent.replay.rows):
        length = LENGTHS[number]
        for row, (index, episode, t, reward, terminated, truncated) in zip(
            rows, transitions(number, length, len(rows)), strict=True
        ):
            assert row["observation"][:3].tolist() == [index, episode, t]
            assert row["next"][:3].tolist() == [index, episode, t + 1]
            assert (row["reward"], row["terminated"], row["truncated"]) == (reward, terminated, truncated)
            # The environment was given, in its units, what the memory keeps.
            action = row["action"] if discrete else (row["action"][0] + 1) / 2 * 8 - 2
            assert row["next"][3] == pytest.approx(float(action), abs=1e-5)
            ended += terminated or truncated
    assert agent.collector.episodes == ended


def test_episodes_are_noted():
    agent = StubAgent(CountingEnvironment(length=3))
    collect_and_learn(agent, 10)
    # 3 steps, 4 steps, 3 steps; rewards are 100 * episode + step
    assert list(agent.collector.last_lengths) == [3, 4, 3]
    assert list(agent.collector.last_returns) == [6.0, 410.0, 606.0]
    assert agent.collector.episodes == 3


def test_actions_of_the_beginning_are_uniform():
    rng = np.random.default_rng(0)
    actions = random_actions(rng, 20_000, 2, False)
    assert actions.dtype == np.float32
    assert actions.shape == (20_000, 2)
    assert -1 <= actions.min() < -0.999
    assert 0.999 < actions.max() < 1
    assert abs(actions.mean()) < 0.02
    assert abs(actions.var() - 1 / 3) < 0.01
    choices = random_actions(rng, 30_000, 3, True)
    assert choices.dtype == np.int64
    assert (abs(np.bincount(choices) / 10_000 - 1) < 0.05).all()


def test_same_seed_same_transitions():
    def run(seed):
        agent = StubAgent("Pendulum-v1", seed=seed)
        collect_and_learn(agent, 60)
        return np.array([[*row["observation"], *row["action"], row["reward"]] for row in agent.replay.rows[0]])

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


def test_what_a_call_does_depends_on_the_agent_alone():
    """An agent that goes on, and its copy in an environment of its own that has not been used."""
    agent = StubAgent("Pendulum-v1", seed=3)
    collect_and_learn(agent, 30)
    loaded = StubAgent("Pendulum-v1", seed=3)
    loaded.rng = copy.deepcopy(agent.rng)
    loaded.num_timesteps, loaded.n_updates = agent.num_timesteps, agent.n_updates
    collect_and_learn(agent, 20)
    collect_and_learn(loaded, 20)
    assert agent.num_timesteps == loaded.num_timesteps == 50
    for row, same in zip(agent.replay.rows[0][30:], loaded.replay.rows[0], strict=True):
        np.testing.assert_array_equal(row["observation"], same["observation"])
        np.testing.assert_array_equal(row["action"], same["action"])
    # and not the first episode again
    assert not np.array_equal(agent.replay.rows[0][0]["observation"], loaded.replay.rows[0][0]["observation"])
    assert agent.rng.bit_generator.state == loaded.rng.bit_generator.state


def test_steps_go_on_or_begin_again():
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 15)
    collect_and_learn(agent, 5)
    assert agent.num_timesteps == 20
    assert agent.explored == list(range(10, 20))
    collect_and_learn(agent, 12, reset_num_timesteps=True)
    assert agent.num_timesteps == 12
    assert agent.explored == [*range(10, 20), 10, 11]
    assert agent.replay.n_transitions == 32
    assert agent.replay.starts == 3
    assert len(set(agent.environments.env.seeds) - {None}) == 3


class Told:
    """A normalization that notes what it was told."""

    def __init__(self):
        self.seen = []

    def update(self, observations):
        self.seen.append(observations.copy())


@pytest.mark.parametrize("mode", [None, AutoresetMode.SAME_STEP])
def test_normalization_is_told_what_is_acted_on(mode):
    agent = StubAgent(CountingEnvironment() if mode is None else several(mode))
    agent.normalization = Told()
    seen = []
    explore = agent.explore
    agent.explore = lambda observations: seen.append(observations.copy()) or explore(observations)
    agent.learning_starts = 0
    collect_and_learn(agent, 30)
    assert len(agent.normalization.seen) == len(seen) + 1  # and what would be acted on next
    for told, acted in zip(agent.normalization.seen, seen, strict=False):
        np.testing.assert_array_equal(told, acted)


def test_functions_are_called_after_each_step_and_can_stop():
    agent = StubAgent(CountingEnvironment())
    seen = []

    def look(given):
        assert given is agent
        seen.append((given.num_timesteps, given.replay.n_transitions, given.n_updates))
        return given.num_timesteps < 13

    collect_and_learn(agent, 40, [look, lambda given: None])
    assert seen == [(n, n, max(0, n - 10)) for n in range(1, 14)]
    assert agent.num_timesteps == 13


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_number_that_is_not_finite_is_not_stored(bad):
    env = CountingEnvironment(length=4)
    env.broken[1, 2] = np.array([0, 1, bad, 0])
    agent = StubAgent(env)
    with pytest.raises(InputError, match=r"observation\[2\] is (nan|inf) at step 6"):
        collect_and_learn(agent, 40)
    assert agent.num_timesteps == agent.replay.n_transitions == 5
    env.broken.clear()
    collect_and_learn(agent, 10)
    assert agent.num_timesteps == agent.replay.n_transitions == 15
    assert np.isfinite([row["next"] for row in agent.replay.rows[0]]).all()


def test_environment_that_fails_leaves_the_agent_whole():
    env = CountingEnvironment()
    step = env.step

    def fail(action):
        if env.episode == 2:
            raise RuntimeError("lost")
        return step(action)

    env.step = fail
    agent = StubAgent(env)
    with pytest.raises(RuntimeError, match="lost"):
        collect_and_learn(agent, 40)
    assert agent.num_timesteps == agent.replay.n_transitions == 7
    collect_and_learn(agent, 4)
    assert agent.num_timesteps == agent.replay.n_transitions == 11


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(total_timesteps=0), "total_timesteps must be at least 1, not 0"),
        (dict(total_timesteps=1.5), "total_timesteps must be an integer"),
        (dict(total_timesteps=5, callbacks=3), "callbacks must be callbacks"),
        (dict(total_timesteps=5, callbacks=[print, "x"]), "callbacks must be callbacks"),
        (dict(total_timesteps=5, log=3), "log must be the path of a folder"),
        (dict(total_timesteps=5, progress_bar=1), "progress_bar must be True or False"),
        (dict(total_timesteps=5, log_interval=0), "log_interval must be at least 1"),
        (dict(total_timesteps=5, reset_num_timesteps=None), "reset_num_timesteps must be True or False"),
    ],
)
def test_bad_arguments_change_nothing(arguments, message):
    agent = StubAgent(CountingEnvironment())
    with pytest.raises(InputError, match=message):
        collect_and_learn(agent, **arguments)
    assert (agent.num_timesteps, agent.replay.starts, agent.collector, agent.environments.env.seeds) == (0, 0, None, [])


def test_progress_is_told_on_a_terminal(monkeypatch):
    from contextlib import contextmanager

    from trulysparse._core import bars

    told = []

    @contextmanager
    def recording():
        yield lambda what, done, total: told.append((what, done, total))

    monkeypatch.setattr(bars, "bars", recording)
    agent = StubAgent(CountingEnvironment())
    agent.num_timesteps = 1000
    collect_and_learn(agent, 200, progress_bar=True)
    every = loop._LOOK_EVERY
    assert told == [("learning", done, 200) for done in range(every, 201, every)]


@pytest.mark.parametrize("capacity", [16, 1000])
@pytest.mark.parametrize("mode", [None, *MODES])
def test_replay_buffer_gives_what_happened(mode, capacity):
    """Also where the buffer has gone round several times, and after a call that broke off episodes."""
    agent = StubAgent(CountingEnvironment() if mode is None else several(mode))
    n_envs = agent.environments.n_envs
    agent.replay = ReplayBuffer(capacity * n_envs, 4, n_actions=1, n_envs=n_envs, gamma=0.9)
    collect_and_learn(agent, 101)
    collect_and_learn(agent, 40)
    observations, actions, following = (np.zeros((n, 256), np.float32) for n in (4, 1, 4))
    rewards, discounts = agent.replay.sample(agent.rng, 256, observations, actions, following)
    number, episode, t, _ = observations
    np.testing.assert_array_equal(following[:3], [number, episode, t + 1])
    np.testing.assert_allclose(following[3], (actions[0] + 1) / 2 * 8 - 2, atol=1e-5)
    np.testing.assert_array_equal(rewards, 100 * episode + t + 1)
    terminated = (episode % 2 == 0) & (t + 1 == np.array(LENGTHS)[number.astype(int)])
    np.testing.assert_allclose(discounts, np.where(terminated, 0, 0.9), rtol=1e-6)
    assert set(number) == set(range(n_envs))
    assert terminated.any()
    assert not terminated.all()
