from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import SyncVectorEnv  # noqa: E402

from counting_environment import CountingEnvironment, Noting, StubAgent  # noqa: E402
from trulysparse.rl.callbacks import (  # noqa: E402
    EvalCallback,
    EveryNTimesteps,
    StopTrainingOnRewardThreshold,
)
from trulysparse.rl.evaluate import evaluate_policy  # noqa: E402
from trulysparse.rl.log import read_progress  # noqa: E402
from trulysparse.rl.loop import collect_and_learn  # noqa: E402
from trulysparse.rl.seeds import seed_of  # noqa: E402
from trulysparse.rl.td3 import TD3  # noqa: E402


class Fixed(CountingEnvironment):
    """Each episode is one step, whose reward is the next of `rewards` once every two episodes."""

    def __init__(self, rewards):
        super().__init__(length=1)
        self.given = [each for each in rewards for _ in range(2)]

    def step(self, action):
        observation, *_ = super().step(action)
        return observation, self.given.pop(0), True, False, {}


@pytest.mark.parametrize("n_envs", [1, 3])
def test_every_n_timesteps(n_envs):
    env = CountingEnvironment() if n_envs == 1 else SyncVectorEnv([CountingEnvironment] * 3)
    agent = StubAgent(env, train_freq=1000)
    inner = Noting()
    every = EveryNTimesteps(10, inner)
    collect_and_learn(agent, 41, every)
    steps = [note for note in inner.notes if isinstance(note, int)]
    if n_envs == 1:
        assert steps == [10, 20, 30, 40]
    else:
        assert [each // 10 for each in steps] == list(range(1, agent.num_timesteps // 10 + 1))
    assert inner.notes[:2] == ["init", "start"]
    assert inner.notes[-1] == "end"
    assert inner.parent is every


def test_every_n_timesteps_goes_on_and_stops():
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 15)
    seen = []
    collect_and_learn(agent, 40, EveryNTimesteps(10, lambda agent: seen.append(agent.num_timesteps)))
    assert seen == [20, 30, 40, 50]
    collect_and_learn(agent, 40, EveryNTimesteps(10, lambda agent: False))
    assert agent.num_timesteps == 60


def test_evaluations(tmp_path):
    agent = StubAgent(CountingEnvironment())
    callback = EvalCallback(CountingEnvironment(length=2), n_eval_episodes=2, eval_freq=15, log_path=tmp_path / "e")
    collect_and_learn(agent, 50, callback, tmp_path / "log")
    # Its episodes: the environment's 0, 1, then (a reset each time, after the one that followed the last) 3, 4, ...
    assert callback.evaluations_timesteps == [15, 30, 45]
    assert callback.evaluations_length == [[2, 3], [3, 2], [2, 3]]
    assert callback.evaluations_results[0] == [3.0, 306.0]
    assert callback.last_mean_reward == np.mean(callback.evaluations_results[2])
    assert callback.best_mean_reward == max(np.mean(each) for each in callback.evaluations_results)
    assert callback.evaluations_seconds == sorted(callback.evaluations_seconds)
    with np.load(tmp_path / "e" / "evaluations.npz") as file:
        assert file["timesteps"].tolist() == [15, 30, 45]
        assert file["results"].tolist() == callback.evaluations_results
        assert file["ep_lengths"].tolist() == callback.evaluations_length
    rows = [row for row in read_progress(tmp_path / "log" / "progress.csv") if "eval/mean_reward" in row]
    assert [row["time/total_timesteps"] for row in rows] == [15, 30, 45]
    assert [row["eval/mean_reward"] for row in rows] == [np.mean(each) for each in callback.evaluations_results]
    assert [row["eval/mean_ep_length"] for row in rows] == [2.5] * 3
    assert [row["eval/std_reward"] for row in rows] == [np.std(each) for each in callback.evaluations_results]


@pytest.mark.parametrize("deterministic", [False, True])
def test_evaluation_does_not_change_the_training(deterministic):
    def run(callbacks):
        agent = StubAgent("Pendulum-v1", seed=2)
        collect_and_learn(agent, 60, callbacks)
        rows = np.array([[*row["observation"], *row["action"], row["reward"]] for row in agent.replay.rows[0]])
        return rows, agent.rng.bit_generator.state, agent.metrics

    callback = EvalCallback("Pendulum-v1", n_eval_episodes=1, eval_freq=20, deterministic=deterministic)
    (rows, state, metrics), expected = run(callback), run(())
    assert len(callback.evaluations_timesteps) == 3
    np.testing.assert_array_equal(rows, expected[0])
    assert (state, metrics) == expected[1:]


def test_log_and_callbacks_leave_the_bits_of_an_agent(tmp_path):
    def run(**options):
        agent = TD3("Pendulum-v1", hidden_layer_sizes=(16, 16), density=0.5, batch_size=16, learning_starts=20, seed=1)
        agent.learn(150, **options)
        values = [layer.values for learner in agent.learners.values() for net in learner.nets for layer in net.layers]
        return np.concatenate(values), agent.rng.bit_generator.state

    callback = EvalCallback("Pendulum-v1", n_eval_episodes=1, eval_freq=50, deterministic=False)
    (values, state), (plain, plain_state) = run(callbacks=callback, log=tmp_path, progress_bar=True), run()
    assert len(callback.evaluations_timesteps) == 3
    assert "sparse/dormant" in read_progress(tmp_path / "progress.csv")[-1]
    np.testing.assert_array_equal(values, plain)
    assert state == plain_state


def test_start_states_depend_on_seed_and_steps_alone():
    agent = StubAgent("Pendulum-v1")
    callback = EvalCallback("Pendulum-v1", n_eval_episodes=2, eval_freq=20, seed=5)
    collect_and_learn(agent, 40, callback)
    expected = [
        evaluate_policy(agent, "Pendulum-v1", 2, seed=seed_of(5, steps), return_episode_rewards=True)[0]
        for steps in (20, 40)
    ]
    assert callback.evaluations_results == expected
    assert expected[0] != expected[1]


def test_best_agent_and_policy_are_kept(tmp_path):
    agent = StubAgent(CountingEnvironment())
    best = tmp_path / "best"
    new_best, after = Noting(), Noting()
    callback = EvalCallback(
        Fixed([1.0, 0.0, 2.0, 2.0]),
        new_best,
        after,
        n_eval_episodes=2,
        eval_freq=10,
        best_model_save_path=best,
    )
    # Fixed gives each reward in two episodes; a reset in between takes none.
    collect_and_learn(agent, 40, callback)
    assert [np.mean(each) for each in callback.evaluations_results] == [1, 0, 2, 2]
    assert callback.best_mean_reward == 2
    assert [note for note in new_best.notes if isinstance(note, int)] == [10, 30]
    assert [note for note in after.notes if isinstance(note, int)] == [10, 20, 30, 40]
    names = [str(best / "best_model.safetensors"), str(best / "best_policy.safetensors")]
    assert [path for path, _ in agent.saved] == names * 2
    assert sorted(path.name for path in best.iterdir()) == ["best_model.safetensors", "best_policy.safetensors"]


@pytest.mark.parametrize("where", ["callback_on_new_best", "callback_after_eval"])
def test_stop_at_a_reward(where):
    agent = StubAgent(CountingEnvironment())
    stop = StopTrainingOnRewardThreshold(1.5)
    callback = EvalCallback(Fixed([1.0, 0.0, 2.0, 3.0]), n_eval_episodes=2, eval_freq=10, **{where: stop})
    collect_and_learn(agent, 40, callback)
    assert agent.num_timesteps == 30
    assert callback.evaluations_timesteps == [10, 20, 30]


def test_threshold_itself_is_enough():
    agent = StubAgent(CountingEnvironment())
    callback = EvalCallback(Fixed([2.0] * 4), StopTrainingOnRewardThreshold(2.0), n_eval_episodes=2, eval_freq=10)
    collect_and_learn(agent, 40, callback)
    assert agent.num_timesteps == 10


def test_threshold_needs_evaluations():
    agent = StubAgent(CountingEnvironment())
    with pytest.raises(InputError, match="must be the callback_on_new_best or callback_after_eval of EvalCallback"):
        collect_and_learn(agent, 40, StopTrainingOnRewardThreshold(0))
    assert agent.num_timesteps == 0


def test_evaluations_go_on(tmp_path):
    """A run that is broken off at 25 steps, and goes on from a checkpoint of 20."""
    agent = StubAgent(CountingEnvironment())
    options = dict(n_eval_episodes=2, eval_freq=10, log_path=tmp_path)
    collect_and_learn(agent, 25, EvalCallback(Fixed([5.0, 1.0, 0.0]), **options))
    agent.num_timesteps = 10
    callback = EvalCallback(Fixed([2.0, 3.0]), **options)
    collect_and_learn(agent, 20, callback)
    assert callback.evaluations_timesteps == [10, 20, 30]
    assert [np.mean(each) for each in callback.evaluations_results] == [5, 2, 3]
    assert callback.best_mean_reward == 5
    assert len(callback.evaluations_seconds) == len(callback.evaluations_length) == 3
    with np.load(tmp_path / "evaluations.npz") as file:
        assert file["timesteps"].tolist() == [10, 20, 30]


@pytest.mark.parametrize("text", [b"nothing", b"", b"PK\x03\x04 and no more"])
def test_damaged_evaluations_are_refused(text, tmp_path):
    (tmp_path / "evaluations.npz").write_bytes(text)
    agent = StubAgent(CountingEnvironment())
    agent.num_timesteps = 5
    with pytest.raises(InputError, match=r"evaluations\.npz that cannot be read"):
        collect_and_learn(agent, 5, EvalCallback(CountingEnvironment(), log_path=tmp_path))
    assert agent.num_timesteps == 5


def test_evaluations_go_on_with_as_many_episodes(tmp_path):
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 5, EvalCallback(CountingEnvironment(), n_eval_episodes=3, eval_freq=5, log_path=tmp_path))
    with pytest.raises(InputError, match=r"n_eval_episodes must be 3, as in .*, not 2"):
        collect_and_learn(agent, 5, EvalCallback(CountingEnvironment(), n_eval_episodes=2, log_path=tmp_path))
    assert agent.num_timesteps == 5


def test_evaluations_of_another_run_are_refused(tmp_path):
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 5, EvalCallback(CountingEnvironment(), eval_freq=5, log_path=tmp_path))
    before = (tmp_path / "evaluations.npz").read_bytes()
    other = StubAgent(CountingEnvironment())
    for again in (dict(agent=other), dict(agent=agent, reset_num_timesteps=True)):
        with pytest.raises(InputError, match="log_path must be a folder without the evaluations of another run"):
            collect_and_learn(
                total_timesteps=5, callbacks=EvalCallback(CountingEnvironment(), log_path=tmp_path), **again
            )
    assert (agent.num_timesteps, other.num_timesteps) == (5, 0)
    assert (tmp_path / "evaluations.npz").read_bytes() == before


def test_environments_that_are_refused():
    env = CountingEnvironment()
    agent = StubAgent(env)
    with pytest.raises(InputError, match="eval_env must be an environment of its own"):
        collect_and_learn(agent, 5, EvalCallback(env))
    with pytest.raises(InputError, match="eval_env must have the spaces of the agent"):
        collect_and_learn(agent, 5, EvalCallback("Pendulum-v1"))
    with pytest.raises(InputError, match="must have the spaces of the agent"):
        collect_and_learn(agent, 5, EveryNTimesteps(2, EvalCallback("Pendulum-v1")))
    with pytest.raises(InputError, match="id of a registered environment"):
        collect_and_learn(agent, 5, EvalCallback("NoSuchThing-v0"))
    assert agent.num_timesteps == 0
    assert env.seeds == []


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: EvalCallback("x", n_eval_episodes=0), "n_eval_episodes must be at least 1"),
        (lambda: EvalCallback("x", eval_freq=0), "eval_freq must be at least 1"),
        (lambda: EvalCallback("x", log_path=3), "log_path must be the path of a folder"),
        (lambda: EvalCallback("x", best_model_save_path=3), "best_model_save_path must be the path"),
        (lambda: EvalCallback("x", deterministic=2), "deterministic must be True or False"),
        (lambda: EvalCallback("x", seed=-1), "seed must be at least 0"),
        (lambda: EvalCallback("x", 3), "callbacks must be callbacks"),
        (lambda: EveryNTimesteps(0, print), "n_steps must be at least 1"),
        (lambda: EveryNTimesteps(1, 3), "callbacks must be callbacks"),
        (lambda: StopTrainingOnRewardThreshold("x"), "reward_threshold must be a number"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
