"""Evaluation of teams while they train: what is counted and kept, and that it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from team_games import SignalGame

from trulysparse.errors import InputError
from trulysparse.rl.callbacks import EvalCallback, StopTrainingOnRewardThreshold
from trulysparse.rl.policy import Policy
from trulysparse.rl.team_callback import TeamEvalCallback
from trulysparse.rl.team_evaluation import evaluate_team
from trulysparse.rl.vdn import VDN

pytest.importorskip("gymnasium")

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16,), "batch_size": 16, "learning_starts": 20, "buffer_size": 200}


def test_evaluations_are_those_of_the_team_at_that_step(tmp_path: Path) -> None:
    evaluation = TeamEvalCallback(SignalGame(), n_eval_episodes=3, eval_freq=30, best_model_save_path=tmp_path)
    team = VDN(SignalGame(), seed=1, **SMALL).learn(60, callbacks=evaluation, log=tmp_path)
    plain = VDN(SignalGame(), seed=1, **SMALL).learn(60)
    assert evaluation.evaluations_timesteps == [30, 60]
    assert evaluation.evaluations_length == [[5] * 3] * 2
    assert evaluation.best_mean_reward == max(np.mean(each) for each in evaluation.evaluations_results)
    layers = zip(team.networks.network_of(0).layers, plain.networks.network_of(0).layers, strict=True)
    assert all(np.array_equal(layer.values, other.values) for layer, other in layers)
    assert "eval/mean_reward" in (tmp_path / "progress.csv").read_text()
    best = VDN.load(tmp_path / "best_model.safetensors")
    seen = SignalGame().reset(seed=5)[0]
    actions = best.predict(seen, deterministic=True)[0]
    for agent in seen:
        assert Policy.load(tmp_path / f"best_policy_{agent}.safetensors")(seen[agent]) == actions[agent]


def test_a_threshold_stops_the_training() -> None:
    evaluation = TeamEvalCallback(
        SignalGame(), StopTrainingOnRewardThreshold(-1.0), n_eval_episodes=1, eval_freq=25, seed=3
    )
    assert VDN(SignalGame(), seed=1, **SMALL).learn(500, callbacks=evaluation).num_timesteps == 25
    mean, _ = evaluate_team(evaluation.model, SignalGame(), 1)
    assert 0 <= mean <= 5


def test_what_does_not_fit_is_refused_before_the_first_step() -> None:
    game = SignalGame()
    team = VDN(game, seed=1, **SMALL)
    for given, message in (
        (game, "an environment of its own"),
        (SignalGame((3, 2)), "eval_env must have the spaces"),
        ("CartPole-v1", "parallel environment of PettingZoo"),
    ):
        with pytest.raises(InputError, match=message):
            team.learn(10, callbacks=TeamEvalCallback(given))
    with pytest.raises(InputError):
        team.learn(10, callbacks=EvalCallback(SignalGame()))
    assert team.num_timesteps == 0
