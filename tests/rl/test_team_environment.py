"""Parallel environments as arrays: sizes, agents that leave, what is refused."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from team_games import SignalGame, TwoStepGame
from trulysparse.errors import InputError
from trulysparse.rl.team_environment import TeamEnvironment, TeamSpaces, checked_team_spaces

spaces = pytest.importorskip("gymnasium").spaces


def test_observations_are_rows_that_end_in_zeros() -> None:
    env = SignalGame((2, 3), (3, 5))
    team = TeamEnvironment(env)
    assert team.spaces == TeamSpaces(("player_0", "player_1"), (3, 5), (2, 3))
    team.reset(seed=3)
    first = env.log[-1]["first"]
    np.testing.assert_array_equal(team.observations[0], [*first["player_0"], 0, 0])
    np.testing.assert_array_equal(team.observations[1], first["player_1"])
    assert team.alive.all()
    np.testing.assert_array_equal(team.spaces.missing, [[False, False], [False, False], [True, False]])
    assert SignalGame().possible_agents == ["player_0", "player_1"]
    assert checked_team_spaces(SignalGame()).missing is None


def test_a_step_gives_what_the_environment_gives() -> None:
    env = SignalGame((3, 3), length=2)
    team = TeamEnvironment(env)
    team.reset(seed=0)
    step = team.step(np.array([0, 2]))
    log = env.log[-1]
    assert log["actions"] == {"player_0": 0, "player_1": 2}
    np.testing.assert_array_equal(step.rewards, list(log["rewards"].values()))
    np.testing.assert_array_equal(step.observations, list(log["next"].values()))
    assert not step.ended
    assert step.alive.all()
    assert step.state is None
    last = team.step(np.array([1, 1]))
    assert (last.ended, last.lengths) == ([0], [2])
    assert last.returns == [np.float32(step.rewards.sum() + last.rewards.sum()) / 2]
    assert not last.alive.any()
    assert not last.terminated.any()  # cut off, which is not an end


def test_an_agent_that_leaves_acts_no_more() -> None:
    env = SignalGame((3, 3, 3), (4, 4, 4), length=4, leaves={"player_1": 2}, truncated=False)
    team = TeamEnvironment(env)
    team.reset(seed=0)
    seen = [team.step(np.zeros(3, int)) for _ in range(4)]
    assert [step.alive.tolist() for step in seen] == [[True] * 3, [True, False, True], [True, False, True], [False] * 3]
    assert [step.terminated.tolist() for step in seen[1:]] == [
        [False, True, False],
        [False, False, False],
        [True, False, True],
    ]
    assert seen[1].observations[1].any()  # its last ones
    assert not seen[2].observations[1].any()
    assert seen[2].rewards[1] == 0
    assert [step.ended for step in seen] == [[], [], [], [0]]


def test_state_is_the_environments_or_all_observations() -> None:
    team = TeamEnvironment(TwoStepGame(), with_state=True)
    assert team.spaces.n_states == 3
    team.reset()
    assert team.step(np.array([1, 0])).state.tolist() == [0, 0, 1]
    without = TeamEnvironment(SignalGame(), with_state=True)
    assert without.spaces.n_states == 8
    without.reset(seed=0)
    np.testing.assert_array_equal(without.state, without.observations.ravel())


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_numbers_that_are_not_finite_are_named(what: str) -> None:
    env = SignalGame()
    step = env.step

    def broken(actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        result = step(actions)
        if env.time == 2:
            if what == "reward":
                result[1]["player_1"] = np.nan
            else:
                result[0]["player_1"][2] = np.inf
        return result

    env.step = broken  # type: ignore[method-assign]
    team = TeamEnvironment(env)
    team.reset(seed=0)
    team.step(np.zeros(2, int))
    with pytest.raises(InputError, match=r"step 2.*player_1|player_1.*step 2"):
        team.step(np.zeros(2, int))


def test_observations_of_another_shape_are_refused() -> None:
    env = SignalGame()
    env.reset = lambda seed=None: ({agent: np.zeros(7) for agent in env.possible_agents}, {})  # type: ignore
    with pytest.raises(InputError, match=r"player_0.*\(7,\).*\(4,\)"):
        TeamEnvironment(env).reset()


def test_environments_of_another_kind_are_refused() -> None:
    for env in ("CartPole-v1", None, 3):
        with pytest.raises(InputError, match="parallel environment of PettingZoo"):
            checked_team_spaces(env)
    module = types.SimpleNamespace(parallel_env=SignalGame)
    with pytest.raises(InputError, match=r"call its parallel_env\(\)"):
        checked_team_spaces(module)
    taking_turns = types.SimpleNamespace(agent_iter=list, last=list)
    with pytest.raises(InputError, match="aec_to_parallel"):
        checked_team_spaces(taking_turns)


@pytest.mark.parametrize(
    "observation, action, message",
    [
        (spaces.Dict({}), spaces.Discrete(2), "Box or MultiBinary.*Dict"),
        (spaces.Box(0, 1, (4, 4)), spaces.Discrete(2), r"Box.*\(4, 4\)"),
        (spaces.Discrete(3), spaces.Discrete(2), "Discrete"),
        (spaces.Box(0, 1, (4,)), spaces.Box(0, 1, (2,)), "IQL, VDN and QMIX"),
        (spaces.Box(0, 1, (4,)), spaces.MultiDiscrete([2, 2]), "MultiDiscrete"),
        (spaces.Box(0, 1, (4,)), spaces.Discrete(2, start=1), "counted from 0"),
    ],
)
def test_spaces_that_do_not_fit_are_refused(observation: Any, action: Any, message: str) -> None:
    env = SignalGame()
    env._spaces["player_1"] = observation, action
    with pytest.raises(InputError, match=rf"player_1.*{message}|{message}"):
        checked_team_spaces(env)


def test_observations_of_unknown_agents_are_refused() -> None:
    with pytest.raises(InputError, match="player_0, player_1, not of"):
        checked_team_spaces(SignalGame()).rows({"player_0": np.zeros(4), "nobody": np.zeros(4)})
