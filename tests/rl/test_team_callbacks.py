from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from team_games import SignalGame, TwoStepGame  # noqa: E402
from trulysparse.rl.log import read_progress  # noqa: E402
from trulysparse.rl.policy import Policy  # noqa: E402
from trulysparse.rl.seeds import seed_of  # noqa: E402
from trulysparse.rl.team_callbacks import TeamEvalCallback  # noqa: E402
from trulysparse.rl.team_evaluation import evaluate_team  # noqa: E402
from trulysparse.rl.vdn import VDN  # noqa: E402

SMALL = dict(hidden_layer_sizes=(16,), density=0.5, batch_size=16, learning_starts=10, buffer_size=1000, train_freq=10)


def make_team(**settings):
    return VDN(SignalGame(), **{"seed": 0, **SMALL, **settings})


def test_evaluations(tmp_path):
    team, game = make_team(), SignalGame()
    callback = TeamEvalCallback(game, n_eval_episodes=3, eval_freq=10, log_path=tmp_path, seed=4)
    team.learn(30, callbacks=callback, log=tmp_path)
    assert callback.evaluations_timesteps == [10, 20, 30]
    assert callback.evaluations_length == [[5, 5, 5]] * 3
    returns, _ = evaluate_team(team, SignalGame(), 3, seed=seed_of(4, 30), return_episode_rewards=True)
    assert callback.evaluations_results[-1] == returns.mean(axis=1).tolist()
    rows = [row for row in read_progress(tmp_path / "progress.csv") if "eval/mean_reward" in row]
    assert [row["eval/mean_reward"] for row in rows] == [np.mean(each) for each in callback.evaluations_results]


def test_evaluation_does_not_change_the_training():
    def run(callbacks):
        team = make_team()
        team.learn(40, callbacks=callbacks)
        nets = [net for learner in team.learners.values() for net in learner.nets]
        return np.concatenate([layer.values for net in nets for layer in net.layers]), team.rng.bit_generator.state

    values, state = run(TeamEvalCallback(SignalGame(), eval_freq=10, deterministic=False))
    plain, plain_state = run(())
    np.testing.assert_array_equal(values, plain)
    assert state == plain_state


def test_best_policies_are_kept(tmp_path, monkeypatch):
    team = make_team()
    monkeypatch.setattr(type(team), "save", lambda self, path: path.write_text("team"), raising=False)
    callback = TeamEvalCallback(SignalGame(), n_eval_episodes=2, eval_freq=10, best_model_save_path=tmp_path)
    team.learn(10, callbacks=callback)
    names = ["best_model.safetensors", "best_policy_player_0.safetensors", "best_policy_player_1.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    policy = Policy.load(tmp_path / names[1])
    observation = np.arange(policy.n_observations, dtype=np.float32)
    assert policy(observation) == team.freeze()["player_0"](observation)


def test_environments_that_are_refused():
    game = SignalGame()
    team = VDN(game, seed=0, **SMALL)
    for env, message in [
        (game, "eval_env must be an environment of its own"),
        (TwoStepGame(), "eval_env must have the spaces of the team's own"),
        (3, "parallel environment"),
    ]:
        with pytest.raises(InputError, match=message):
            team.learn(10, callbacks=TeamEvalCallback(env))
    assert team.num_timesteps == 0
