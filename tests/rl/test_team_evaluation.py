"""Evaluation of teams against returns added up by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from team_games import SignalGame
from trulysparse.errors import InputError
from trulysparse.rl.team_evaluation import evaluate_team
from trulysparse.rl.vdn import VDN

pytest.importorskip("gymnasium")


class Knowing:
    """A team of which one agent does what is wanted, and the others nothing."""

    def __init__(self) -> None:
        self.deterministic: set[bool] = set()

    def predict(self, observations: dict[str, np.ndarray], deterministic: bool = True) -> tuple[dict[str, int], None]:
        self.deterministic.add(deterministic)
        return {a: int(np.argmax(o[:3])) if a == "player_0" else 0 for a, o in observations.items()}, None


def test_returns_are_those_of_each_agent() -> None:
    game = SignalGame((3, 3, 3), (5, 5, 5), length=6, leaves={"player_2": 2}, truncated=False)
    returns, lengths = evaluate_team(Knowing(), game, 4, return_episode_rewards=True)
    rewards = [step["rewards"] for step in game.log if "rewards" in step]
    assert lengths == [6] * 4
    assert [row[0] for row in returns] == [6] * 4
    by_hand = [sum(r.get("player_1", 0) for r in rewards[6 * k : 6 * k + 6]) for k in range(4)]
    assert [row[1] for row in returns] == by_hand
    assert max(row[2] for row in returns) <= 2  # in two steps
    mean, std = evaluate_team(Knowing(), game, 4)
    assert mean == pytest.approx(np.mean(returns))
    assert std == pytest.approx(np.std(np.mean(returns, axis=1)))


def test_a_seed_gives_the_same_episodes() -> None:
    game, team = SignalGame(), Knowing()
    first, second = (evaluate_team(team, game, 3, seed=7, return_episode_rewards=True)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    evaluate_team(team, game, 1, deterministic=False)
    assert team.deterministic == {True, False}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"team": object()}, "team must have predict"),
        ({"n_eval_episodes": 0}, "n_eval_episodes"),
        ({"deterministic": 1}, "deterministic must be True or False"),
        ({"env": "CartPole-v1"}, "parallel environment"),
    ],
)
def test_what_is_not_a_team_or_number_is_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"team": Knowing(), "env": SignalGame(), "n_eval_episodes": 1} | change
    with pytest.raises(InputError, match=message):
        evaluate_team(**given)


def test_each_agent_must_have_an_action() -> None:
    class Forgetful(Knowing):
        def predict(self, observations: Any, deterministic: bool = True) -> Any:
            actions, _ = super().predict(observations)
            return {agent: action for agent, action in actions.items() if agent != "player_1"}, None

    with pytest.raises(InputError, match=r"none for \['player_1'\]"):
        evaluate_team(Forgetful(), SignalGame(), 1)


def test_the_environment_of_the_training_is_refused() -> None:
    game = SignalGame()
    with pytest.raises(InputError, match="make another one"):
        evaluate_team(VDN(game), game)
