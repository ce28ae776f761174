"""The loop of teams: what the replay holds after it, and what it does at each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from team_games import SignalGame
from trulysparse.rl.vdn import IQL, VDN

pytest.importorskip("gymnasium")

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16,), "batch_size": 16, "learning_starts": 20, "buffer_size": 300}


def test_the_replay_holds_what_happened() -> None:
    game = SignalGame((3, 2, 3), (4, 3, 4), length=4, leaves={"player_1": 2}, truncated=True)
    team = IQL(game, seed=1, **SMALL).learn(90)
    replay, agents, slot = team.replay, game.possible_agents, 0
    assert replay is not None
    n_transitions = 0
    for before, event in zip(game.log, [*game.log[1:], {"first": None}], strict=True):
        seen = before.get("first", before.get("next"))
        for number, agent in enumerate(agents):
            stored = replay.observations[slot, number]
            expected = np.zeros(4)
            if agent in seen:
                expected[: len(seen[agent])] = seen[agent]
            np.testing.assert_array_equal(stored, expected)
        if "first" in event:  # the last observations of an episode, or of the training
            assert not replay.starts[slot]
        else:
            assert replay.starts[slot]
            n_transitions += 1
            for number, agent in enumerate(agents):
                there = agent in event["actions"]
                assert replay.alive[slot, number] == there
                assert replay.rewards[slot, number] == event["rewards"].get(agent, 0)
                assert replay.bootstraps[slot, number] == (there and not event["terminated"][agent])
                if there:
                    assert replay.actions[slot, number] == event["actions"][agent]
        slot += 1
    assert n_transitions == replay.n_transitions == 90
    assert slot == replay.n_moments


def test_actions_are_random_until_learning_starts() -> None:
    team = VDN(SignalGame(), seed=1, exploration_initial_eps=0.0, exploration_final_eps=0.0, **SMALL)
    team.networks.act = lambda observations: np.tile([[0.0], [0.0], [1.0]], 2)  # type: ignore[method-assign]
    team.learn(60)
    assert team.replay is not None
    actions = team.replay.actions[: team.replay.n_moments][team.replay.starts[: team.replay.n_moments]]
    assert (actions[20:] == 2).all()
    assert set(actions[:20].ravel()) == {0, 1, 2}


def test_each_call_begins_with_other_episodes() -> None:
    game = SignalGame()
    team = VDN(game, seed=1, **SMALL).learn(10)
    team.learn(10, reset_num_timesteps=False)
    first, again = (game.log[number]["first"]["player_0"] for number in (0, 13))  # 13: with two ends
    assert not np.array_equal(first, again)


def test_a_callback_stops_it_and_an_interrupt_leaves_it_whole() -> None:
    team = VDN(SignalGame(), seed=1, **SMALL).learn(100, callbacks=lambda agent: agent.num_timesteps < 33)
    assert team.num_timesteps == 33

    def interrupt(agent: Any) -> None:
        if agent.num_timesteps == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        team.learn(100, callbacks=interrupt, reset_num_timesteps=False)
    assert team.learn(10, reset_num_timesteps=False).num_timesteps == 50
