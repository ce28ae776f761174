from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from trulysparse.errors import InputError, MissingExtraError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

from counting_environment import CountingEnvironment, Recorder, transitions  # noqa: E402
from trulysparse.rl.environments import (  # noqa: E402
    SingleEnvironment,
    VectorEnvironments,
    make_environment,
    open_environments,
)

MODES = list(AutoresetMode)
LENGTHS = (3, 1, 4)


def several(mode: AutoresetMode, lengths=LENGTHS, **options):
    made = [CountingEnvironment(i, length, **options) for i, length in enumerate(lengths)]
    return SyncVectorEnv([lambda env=env: env for env in made], autoreset_mode=mode), made


def record(environments, n_steps: int, seed: int | None = 7) -> tuple[Recorder, list, list]:
    """Steps with actions that differ in every step; the memory, and returns and lengths of episodes by environment."""
    memory = Recorder()
    memory.start(environments.reset(seed))
    returns, lengths = [[] for _ in range(environments.n_envs)], [[] for _ in range(environments.n_envs)]
    for step in range(n_steps):
        number = np.arange(environments.n_envs)
        discrete = environments.spaces.discrete
        actions = (step + number) % 5 if discrete else np.float32((step + number) % 7)[:, None]
        t = environments.step(actions)
        memory.add(actions, t.rewards, t.next_observations, t.terminated, t.truncated, t.first_observations, t.valid)
        assert t.all_valid == t.valid.all()
        for i, episode_return, length in zip(t.ended, t.returns, t.lengths, strict=True):
            returns[i].append(episode_return)
            lengths[i].append(length)
        for i in range(environments.n_envs):
            if i not in t.ended or environments.n_envs == 1:  # what is acted on next is what the memory goes on from
                np.testing.assert_array_equal(memory.now[i], t.observations[i])
    return memory, returns, lengths


def check(rows: list[dict], number: int, length: int) -> None:
    """Every transition is the one that the environment made."""
    for row, expected in zip(rows, transitions(number, length, len(rows)), strict=True):
        index, episode, t, reward, terminated, truncated = expected
        assert row["observation"][:3].tolist() == [index, episode, t]
        assert row["next"][:3].tolist() == [index, episode, t + 1]
        assert row["next"][3] == np.ravel(row["action"])[0]
        assert (row["reward"], row["terminated"], row["truncated"]) == (reward, terminated, truncated)
    for row, following in itertools.pairwise(rows):
        if not (row["terminated"] or row["truncated"]):
            np.testing.assert_array_equal(row["next"], following["observation"])
        else:
            assert following["observation"][2:].tolist() == [0, -1]  # the first of a new episode


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("length", [1, 3])
def test_single_environment(discrete, length):
    environments = open_environments(CountingEnvironment(5, length, discrete))
    assert isinstance(environments, SingleEnvironment)
    memory, returns, lengths = record(environments, 23)
    assert len(memory.rows[0]) == 23
    check(memory.rows[0], 5, length)
    check_episodes(returns[0], lengths[0], 5, length)
    assert len(returns[0]) == sum(row["terminated"] or row["truncated"] for row in memory.rows[0])


def check_episodes(returns, lengths, number, length):
    naive, total = [], []
    for row in transitions(number, length, 100):
        total.append(row[3])
        if row[4] or row[5]:
            naive.append((sum(total), len(total)))
            total = []
    assert list(zip(returns, lengths, strict=True)) == naive[: len(returns)]


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_each_autoreset_mode_gives_the_transitions_of_the_environments(mode, discrete):
    env, _ = several(mode, discrete=discrete)
    environments = open_environments(env)
    assert isinstance(environments, VectorEnvironments)
    memory, returns, lengths = record(environments, 29)
    for i, length in enumerate(LENGTHS):
        check(memory.rows[i], i, length)
        check_episodes(returns[i], lengths[i], i, length)
        n_ends = sum(row["terminated"] or row["truncated"] for row in memory.rows[i])
        assert n_ends == len(returns[i]) >= 5
        if mode is AutoresetMode.NEXT_STEP:  # a reset takes a step; that of an end in the last step is yet to come
            assert len(memory.rows[i]) + n_ends in (29, 30)
        else:
            assert len(memory.rows[i]) == 29


def test_modes_give_the_same_transitions():
    found = {mode: record(open_environments(several(mode)[0]), 40)[0].rows for mode in MODES}
    for i in range(len(LENGTHS)):
        n = min(len(rows[i]) for rows in found.values())
        assert n > 15
        plain = [
            [(*row["observation"][:3], *row["next"][:3], row["reward"], row["terminated"]) for row in rows[i][:n]]
            for rows in found.values()
        ]
        assert plain[0] == plain[1] == plain[2]


@pytest.mark.parametrize("mode", MODES)
def test_processes_give_the_same_transitions(mode):
    env = gymnasium.vector.AsyncVectorEnv(
        [lambda i=i, length=length: CountingEnvironment(i, length) for i, length in enumerate(LENGTHS[:2])],
        autoreset_mode=mode,
    )
    try:
        memory, *_ = record(open_environments(env), 12)
    finally:
        env.close()
    for i, length in enumerate(LENGTHS[:2]):
        check(memory.rows[i], i, length)


def test_vector_environment_of_its_own_kind():
    """Not a bundle of environments: CartPole computes all at once, and takes no mask of what to reset."""
    environments = open_environments(gymnasium.make_vec("CartPole-v1", num_envs=3, max_episode_steps=12), "dqn")
    memory = Recorder()
    memory.start(environments.reset(0))
    for _ in range(60):
        t = environments.step(np.ones(3, np.int64))
        memory.add(np.ones(3), t.rewards, t.next_observations, t.terminated, t.truncated, t.first_observations, t.valid)
    for rows in memory.rows:
        for row, following in itertools.pairwise(rows):
            if row["terminated"] or row["truncated"]:
                assert (np.abs(following["observation"]) <= 0.05).all()  # where CartPole begins
                assert np.abs(row["next"]).max() > 0.05
            else:
                np.testing.assert_array_equal(row["next"], following["observation"])
    environments.close()


def test_observations_are_float32_and_copied():
    class Reusing(CountingEnvironment):
        memory = np.zeros(4)

        def _observation(self, action):
            self.memory[:] = super()._observation(action)
            return self.memory

    environments = open_environments(Reusing(1, 3))
    first = environments.reset(0)
    assert first.dtype == np.float32
    assert first.shape == (1, 4)
    before = first.copy()
    Reusing.memory[:] = 99
    np.testing.assert_array_equal(first, before)


def test_action_has_the_shape_and_type_of_the_space():
    class Shaped(CountingEnvironment):
        def __init__(self):
            super().__init__()
            self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2, 3), np.float64)

        def step(self, action):
            assert action.shape == (2, 3)
            assert action.dtype == np.float64
            self.seen = action
            return super().step(action)

    env = Shaped()
    environments = open_environments(env)
    environments.reset(0)
    environments.step(np.arange(6, dtype=np.float32).reshape(1, 6) / 10)
    np.testing.assert_allclose(env.seen, np.arange(6).reshape(2, 3) / 10, atol=1e-7)
    vector = open_environments(SyncVectorEnv([Shaped] * 2))
    vector.reset(0)
    vector.step(np.zeros((2, 6), np.float32))


def test_environment_may_keep_its_action():
    env = CountingEnvironment()
    kept = []
    step = env.step
    env.step = lambda action: kept.append(action) or step(action)
    environments = open_environments(env)
    environments.reset(0)
    spaces = environments.spaces
    actions = np.zeros((1, 1), np.float32)
    for value in (0.0, 0.5, -1.0):
        actions[:] = value  # the agent's own memory, written again
        environments.step(spaces.in_units(actions))
    assert [float(action[0]) for action in kept] == [2.0, 4.0, -2.0]


@pytest.mark.parametrize("mode", [None, *MODES])
def test_seed_is_given_once(mode):
    if mode is None:
        made = [CountingEnvironment()]
        environments = open_environments(made[0])
    else:
        env, made = several(mode)
        environments = open_environments(env)
    record(environments, 20, seed=5)
    for i, env in enumerate(made):
        assert env.seeds[0] == 5 + i
        assert len(env.seeds) > 2
        assert set(env.seeds[1:]) == {None}
    environments.reset()
    assert made[0].seeds[-1] is None


def test_same_seed_same_observations():
    def run(seed):
        environments = open_environments("Pendulum-v1")
        seen = [environments.reset(seed).copy()]
        for _ in range(3):
            seen.append(environments.step(np.ones((1, 1), np.float32)).next_observations.copy())
        sampled = environments.env.action_space.sample()
        environments.close()
        return np.concatenate(seen), sampled

    assert all(np.array_equal(a, b) for a, b in zip(run(3), run(3), strict=True))
    assert not np.array_equal(run(3)[0], run(4)[0])
    with pytest.raises(InputError, match="seed must be at least 0"):
        run(-1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_observation_that_is_not_finite(bad):
    env = CountingEnvironment(length=5)
    env.broken[0, 3] = np.array([0, 0, bad, 0.0])
    environments = open_environments(env)
    environments.reset(0)
    environments.step(np.ones((1, 1), np.float32))
    environments.step(np.ones((1, 1), np.float32))
    with pytest.raises(InputError, match=r"observation\[2\] is (nan|-?inf) at step 3: it must be finite in float32"):
        environments.step(np.ones((1, 1), np.float32))


def test_large_observations_are_finite():
    env = CountingEnvironment(length=5)
    env.broken[0, 1] = np.array([1e38, -3e38, 0, 0.0])
    env.broken[0, 2] = np.float32([1e30, -3e38, 0, 0.0])  # the sum of squares is not, the numbers are
    environments = open_environments(env)
    environments.reset(0)
    np.testing.assert_allclose(environments.step(np.ones((1, 1), np.float32)).next_observations[0, :2], [1e38, -3e38])
    with np.errstate(over="ignore"):
        after = environments.step(np.ones((1, 1), np.float32))
    np.testing.assert_allclose(after.next_observations[0, :2], [1e30, -3e38])


def test_first_observation_that_is_not_finite():
    env = CountingEnvironment(length=1)
    env.broken[1, 0] = np.array([0, np.nan, 0, 0])
    environments = open_environments(env)
    environments.reset(0)
    with pytest.raises(InputError, match=r"observation\[1\] is nan at step 1"):
        environments.step(np.ones((1, 1), np.float32))


@pytest.mark.parametrize("mode", MODES)
def test_environment_whose_observation_is_not_finite_is_named(mode):
    env, made = several(mode)
    made[2].broken[0, 2] = np.array([0, np.nan, 0, 0])
    environments = open_environments(env)
    environments.reset(0)
    environments.step(np.ones((3, 1), np.float32))
    with pytest.raises(InputError, match=r"observation\[1\] of environment 2 is nan at step 2"):
        environments.step(np.ones((3, 1), np.float32))


def test_last_observation_that_is_not_finite_is_found_behind_a_reset():
    env, made = several(AutoresetMode.SAME_STEP)
    made[1].broken[0, 1] = np.array([0, 0, 0, np.inf])  # its episode ends here; a new one has begun when it is seen
    environments = open_environments(env)
    environments.reset(0)
    with pytest.raises(InputError, match=r"observation\[3\] of environment 1 is inf at step 1"):
        environments.step(np.ones((3, 1), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e39])
def test_reward_that_is_not_finite(bad):
    class Bad(CountingEnvironment):
        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, bad if self.t == 2 else reward, *rest

    environments = open_environments(Bad())
    environments.reset(0)
    environments.step(np.ones((1, 1), np.float32))
    with pytest.raises(InputError, match=r"env's reward is (nan|-?inf|-1e\+39) at step 2: it must be finite"):
        environments.step(np.ones((1, 1), np.float32))
    environments = open_environments(SyncVectorEnv([CountingEnvironment, Bad]))
    environments.reset(0)
    environments.step(np.ones((2, 1), np.float32))
    with pytest.raises(InputError, match=r"env's reward of environment 1 is (nan|-?inf|-1e\+39) at step 2"):
        environments.step(np.ones((2, 1), np.float32))


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.zeros(3), r"has shape \(3,\), its space \(4,\)"),
        (np.zeros(1), r"has shape \(1,\), its space \(4,\)"),
        (np.zeros((1, 4)), r"has shape \(1, 4\), its space \(4,\)"),
        (None, r"has shape \(\), its space \(4,\)"),
        (np.array(["a", "b", "c", "d"]), "is not an array of numbers"),
    ],
)
def test_observation_of_another_shape(bad, message):
    env = CountingEnvironment()
    env.broken[0, 1] = bad
    environments = open_environments(env)
    environments.reset(0)
    with pytest.raises(InputError, match=message):
        environments.step(np.ones((1, 1), np.float32))


def test_lists_are_observations_too():
    env = CountingEnvironment()
    env.broken[0, 1] = [1, 2, 3, 4]
    environments = open_environments(env)
    environments.reset(0)
    assert environments.step(np.ones((1, 1), np.float32)).next_observations.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    "env, message",
    [
        ("NoSuchThing-v1", "env must be the id of a registered environment, not 'NoSuchThing-v1': .*doesn't exist"),
        ("CartPole-v77", "not 'CartPole-v77': .*It provides versioned environments"),
        ("no_such_module:Thing-v0", "needs a package that is not installed: No module named 'no_such_module'"),
        (3, "env must be an environment's id, a gymnasium.Env or a gymnasium.vector.VectorEnv, not 3"),
        (None, "not None"),
        (CountingEnvironment, "not <class"),
        ("FrozenLake-v1", "must be one vector .*not Discrete"),
    ],
)
def test_no_environment(env, message):
    with pytest.raises(InputError, match=message):
        open_environments(env)


def test_algorithm_does_not_fit():
    with pytest.raises(InputError, match="which TD3 does not choose: use DQN"):
        open_environments("CartPole-v1", "td3")


def test_vector_environment_without_a_mode():
    env, _ = several(AutoresetMode.NEXT_STEP)
    env.metadata = {}
    with pytest.raises(InputError, match=r"must be one of gymnasium\.vector\.AutoresetMode, not None"):
        open_environments(env)


def test_same_step_without_last_observations():
    env, _ = several(AutoresetMode.SAME_STEP)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {})
    environments = open_environments(env)
    environments.reset(0)
    with pytest.raises(InputError, match=r"infos\['final_obs'\] is not there"):
        environments.step(np.ones((3, 1), np.float32))


@pytest.mark.parametrize("bad", [None, "much", np.ones(2), np.ones(1)])
def test_reward_that_is_no_number(bad):
    class Bad(CountingEnvironment):
        def step(self, action):
            observation, _, *rest = super().step(action)
            return observation, bad, *rest

    environments = open_environments(Bad())
    environments.reset(seed=0)
    with pytest.raises(InputError, match="env's reward at step 1 must be a number, not"):
        environments.step(np.zeros((1, 2), np.float32))


def test_environments_made_here_are_closed():
    closed = []
    for env in ("Pendulum-v1", gymnasium.make("Pendulum-v1")):
        environments = open_environments(env)
        assert environments.id == "Pendulum-v1"
        environments.env.close = lambda: closed.append(True)
        environments.close()
    assert closed == [True]
    assert open_environments(CountingEnvironment()).id is None


def test_missing_packages_are_named(monkeypatch):
    from trulysparse.rl import environments

    def fail(name, **options):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed, run `pip install gymnasium[mujoco]`")

    monkeypatch.setattr(gymnasium, "make", fail)
    monkeypatch.setattr(environments, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'HalfCheetah-v5' needs MuJoCo: pip install 'trulysparse\[mujoco\]'"):
        make_environment("HalfCheetah-v5")

    def fail_otherwise(name, **options):
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed, run `pip install gymnasium[box2d]`")

    monkeypatch.setattr(gymnasium, "make", fail_otherwise)
    with pytest.raises(InputError, match=r"'LunarLander-v3' needs a package that is not installed: Box2D .*\[box2d\]"):
        make_environment("LunarLander-v3")


def test_without_gymnasium():
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "import trulysparse.rl.loop\n"
        "from trulysparse.rl.environments import open_environments\n"
        "try: open_environments('Pendulum-v1')\n"
        "except ImportError as error: print(error)\n"
        "print('tensorboardX' in sys.modules, 'rich' in sys.modules)"  # what only logs and bars need
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Learning in an environment needs Gymnasium: pip install 'trulysparse[rl]'\nFalse False\n"
