from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.rl.spaces import Spaces, check_actions, checked_spaces

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

VECTOR = spaces.Box(-1.0, 1.0, (3,))
CONTINUOUS = spaces.Box(np.float32([-1, 0]), np.float32([1, 5]))


class Env:
    def __init__(self, observation=VECTOR, action=CONTINUOUS):
        self.observation_space, self.action_space = observation, action


class Several:
    single_observation_space, single_action_space = VECTOR, CONTINUOUS
    observation_space, action_space = spaces.Box(-1.0, 1.0, (4, 3)), spaces.Box(-1.0, 1.0, (4, 2))


def test_continuous_actions():
    found = checked_spaces(Env(), "sac")
    assert (found.n_observations, found.boolean, found.n_actions, found.discrete) == (3, False, 2, False)
    assert found.low.tolist() == [-1, 0]
    assert found.high.tolist() == [1, 5]
    assert found.low.dtype == found.high.dtype == np.float32
    assert str(found) == "3 observations and actions of 2 components in [-1 0, 1 5]"


def test_choices():
    found = checked_spaces(Env(action=spaces.Discrete(4)), "dqn")
    assert (found.n_actions, found.discrete, found.low, found.high) == (4, True, None, None)
    assert str(found) == "3 observations and 4 choices"


def test_spaces_of_one_of_several_environments():
    found = checked_spaces(Several())
    assert (found.n_observations, found.n_actions) == (3, 2)


def test_actions_of_more_than_one_axis_are_counted():
    assert checked_spaces(Env(action=spaces.Box(-1.0, 1.0, (2, 3)))).n_actions == 6


@pytest.mark.parametrize(
    "space, boolean",
    [
        (spaces.MultiBinary(5), True),
        (spaces.Box(0, 1, (5,), np.bool_), True),
        (spaces.Box(0, 1, (5,), np.int8), True),
        (spaces.Box(0, 1, (5,), np.float32), False),
        (spaces.Box(0, 2, (5,), np.int8), False),
        (spaces.Box(-np.inf, np.inf, (5,), np.float64), False),
        (spaces.Box(0, 255, (5,), np.uint8), False),
    ],
)
def test_boolean_observations(space, boolean):
    found = checked_spaces(Env(space))
    assert (found.n_observations, found.boolean) == (5, boolean)


def test_flattened_choice_is_boolean():
    env = gymnasium.wrappers.FlattenObservation(gymnasium.make("CliffWalking-v1"))
    found = checked_spaces(env, "dqn")
    assert (found.n_observations, found.boolean, found.n_actions) == (48, True, 4)
    env.close()


@pytest.mark.parametrize(
    "space, message",
    [
        (spaces.Dict(a=VECTOR), "must be one vector .*not Dict: gymnasium.wrappers.FlattenObservation"),
        (spaces.Tuple((VECTOR, VECTOR)), "not Tuple: gymnasium.wrappers.FlattenObservation"),
        (spaces.Discrete(3), "not Discrete: gymnasium.wrappers.FlattenObservation"),
        (spaces.MultiDiscrete([3, 4]), "not MultiDiscrete"),
        (spaces.Text(3), "not Text"),
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), r"are images \(8, 8, 3\)"),
        (spaces.Box(0, 255, (8, 8), np.uint8), r"are images \(8, 8\)"),
        (spaces.Box(-1.0, 1.0, (2, 3)), r"one vector, not of shape \(2, 3\): gymnasium.wrappers"),
        (spaces.MultiBinary([2, 2]), r"not of shape \(2, 2\)"),
        (spaces.Box(-1.0, 1.0, ()), r"not of shape \(\)"),
        (spaces.Box(-1.0, 1.0, (0,)), r"not of shape \(0,\)"),
    ],
)
def test_observations_that_are_refused(space, message):
    with pytest.raises(InputError, match=message):
        checked_spaces(Env(space))


@pytest.mark.parametrize(
    "space, message",
    [
        (spaces.MultiDiscrete([3, 4]), r"must be Box \(TD3, SAC\) or Discrete \(DQN\), not MultiDiscrete"),
        (spaces.MultiBinary(3), r"must be Box \(TD3, SAC\) or Discrete \(DQN\), not MultiBinary"),
        (spaces.Box(0, 3, (2,), np.int64), "not a Box of int64"),
        (spaces.Box(-np.inf, 1.0, (2,)), r"finite bounds, not \[-inf, 1\]"),
        (spaces.Box(-1e39, 1e39, (1,), np.float64), "finite bounds"),
        (spaces.Box(np.float32([0, 1]), np.float32([1, 1])), "finite bounds|bounds"),
        (spaces.Discrete(3, start=1), "counted from 0, not from 1"),
        (spaces.Box(-1.0, 1.0, (0,)), "no component"),
    ],
)
def test_actions_that_are_refused(space, message):
    with pytest.raises(InputError, match=message):
        checked_spaces(Env(action=space))


@pytest.mark.parametrize(
    "action, algorithm, message",
    [
        (CONTINUOUS, "dqn", r"continuous \(Box\), which DQN does not choose: use TD3 or SAC"),
        (spaces.Discrete(2), "td3", r"choices \(Discrete\), which TD3 does not choose: use DQN"),
        (spaces.Discrete(2), "sac", "use DQN"),
    ],
)
def test_algorithms_that_fit_are_named(action, algorithm, message):
    with pytest.raises(InputError, match=message):
        checked_spaces(Env(action=action), algorithm)


def test_no_environment_is_refused():
    with pytest.raises(InputError, match="must be an environment of Gymnasium, which has observation_space"):
        checked_spaces(3)


def test_actions_in_units():
    found = Spaces(3, False, 3, False, np.float32([-2, 0, -1]), np.float32([2, 6, 1]))
    given = np.float32([[-1, -1, -1], [1, 1, 1], [0, 0, 0], [0.5, 0.5, 0.5]])
    np.testing.assert_array_equal(found.in_units(given), [[-2, 0, -1], [2, 6, 1], [0, 3, 0], [1, 4.5, 0.5]])


@pytest.mark.parametrize("low, high", [(-1.0, 1.0), (-0.1, 0.3), (1e-3, 0.7), (-3e37, 1e-5), (16777215, 16777217)])
def test_actions_stay_within_bounds(low, high):
    rng = np.random.default_rng(0)
    bounds = np.float32([low]), np.float32([high])
    found = Spaces(1, False, 1, False, *bounds)
    given = np.concatenate([np.float32([-1, 1]), rng.uniform(-1, 1, 10_000).astype(np.float32)])[:, None]
    actions = found.in_units(given)
    assert (actions >= bounds[0]).all()
    assert (actions <= bounds[1]).all()
    exact = (given.astype(np.float64) + 1) / 2 * (float(bounds[1][0]) - float(bounds[0][0])) + float(bounds[0][0])
    np.testing.assert_allclose(actions, exact, rtol=1e-5, atol=1e-6 * max(abs(low), abs(high)))
    assert actions.dtype == np.float32


@pytest.mark.parametrize("low, high", [(None, None), (-1.0, 1.0), (-2.0, 2.0)])
def test_actions_are_a_new_array(low, high):
    bounds = (None, None) if low is None else (np.float32([low]), np.float32([high]))
    found = Spaces(1, False, 1, low is None, *bounds)
    given = np.zeros((1, 1), np.float32)
    assert not np.shares_memory(found.in_units(given), given)


def test_other_spaces_are_refused():
    agent = checked_spaces(Env())
    agent.require_same(checked_spaces(Env()))
    for env in (
        Env(spaces.Box(-1.0, 1.0, (4,))),
        Env(action=spaces.Box(-1.0, 1.0, (2,))),
        Env(action=spaces.Discrete(2)),
    ):
        with pytest.raises(InputError, match=r"eval_env must have the spaces of the agent \(3 observations and"):
            agent.require_same(checked_spaces(env), "eval_env")


def test_observations_of_bits_do_not_become_numbers():
    bits, numbers = checked_spaces(Env(spaces.MultiBinary(3))), checked_spaces(Env())
    with pytest.raises(InputError, match=r"agent \(3 observations of 0 or 1 and actions .*, not 3 observations and"):
        bits.require_same(numbers)
    numbers.require_same(bits)


def test_check_actions_by_name():
    check_actions(True, "dqn")
    check_actions(False, "TD3")
    with pytest.raises(InputError, match="use DQN"):
        check_actions(True, "td3")
