"""Homes in PettingZoo's words: its own tests, and that both doors give the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.environment import GridEnvironment
from trulysparse.grid.sample import sample_data

pytest.importorskip("pettingzoo", reason="PettingZoo comes with the extra trulysparse[grid]")

from pettingzoo.test import parallel_api_test, parallel_seed_test

from trulysparse import grid

DATA = sample_data(3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("choices", [None, (-1, 0, 0.5)])
def test_pettingzoos_own_tests(choices):
    parallel_api_test(grid.parallel_env(DATA, n_hours=30, choices=choices), num_cycles=40)
    parallel_seed_test(
        lambda: grid.parallel_env(DATA, n_hours=30, choices=choices, electric_vehicles=True), num_cycles=20
    )


def test_dictionaries_are_the_arrays():
    env, alone = grid.parallel_env(DATA, n_hours=20), GridEnvironment(DATA, n_hours=20)
    observations, infos = env.reset(seed=1, options={"first_hour": 100})
    rows = alone.reset(first_hour=100)
    assert env.possible_agents == ["home_1", "home_2", "home_3"]
    assert infos == {agent: {} for agent in env.agents}
    rng = np.random.default_rng(0)
    for hour in range(20):
        for number, agent in enumerate(env.agents):
            np.testing.assert_array_equal(observations[agent], rows[number])
        np.testing.assert_array_equal(env.state(), rows.reshape(-1))
        actions = rng.uniform(-1, 1, (3, 1)).astype(np.float32)
        kept = {agent: observation.copy() for agent, observation in observations.items()}
        given = observations
        observations, rewards, terminated, truncated, infos = env.step(dict(zip(env.agents, actions, strict=True)))
        for agent, observation in kept.items():  # what was handed out stays as it was
            np.testing.assert_array_equal(given[agent], observation)
        step = alone.step(actions)
        rows = step.observations
        assert list(rewards.values()) == step.rewards.tolist()
        assert [info["net"] for info in infos.values()] == step.net.tolist()
        assert set(terminated.values()) == {False}
        assert set(truncated.values()) == {hour == 19}
    assert env.agents == []
    with pytest.raises(InputError, match="episode is under way, or it has ended"):
        env.step({})


def test_choices_are_values_of_the_battery():
    env, alone = grid.parallel_env(DATA, n_hours=3, choices=(-1, 0.25)), GridEnvironment(DATA, n_hours=3)
    env.reset()
    alone.reset()
    _, rewards, *_ = env.step({"home_1": 0, "home_2": 1, "home_3": 1})
    assert list(rewards.values()) == alone.step([[-1], [0.25], [0.25]]).rewards.tolist()


def test_bad_actions():
    env = grid.parallel_env(DATA, n_hours=3)
    env.reset()
    with pytest.raises(InputError, match="that of 'home_3' is missing"):
        env.step({"home_1": [0], "home_2": [0]})
    for wrong in ([0, 1], 0.5, [[0]]):
        with pytest.raises(InputError, match=r"the action of 'home_2' must be of shape \(1,\), not"):
            env.step({"home_1": [0], "home_2": wrong, "home_3": [0]})
    with pytest.raises(InputError, match="the action of 'home_1' must be numbers, not 'x'"):
        env.step(dict.fromkeys(env.agents, "x"))
    with pytest.raises(InputError, match="'battery' of home 0"):
        env.step(dict.fromkeys(env.agents, (np.nan,)))
    assert env.environment.step_number == 0
    chosen = grid.parallel_env(DATA, n_hours=3, choices=[-1, 0, 1])
    with pytest.raises(InputError, match="no episode is under way"):
        chosen.step({})
    chosen.reset()
    for wrong in (-1, 3, 1.0, True, None, [0, 1]):  # -1 is no choice, but the last entry of a list
        with pytest.raises(InputError, match="the action of 'home_1' must be a whole number from 0 to 2"):
            chosen.step(dict.fromkeys(chosen.agents, wrong))
    with pytest.raises(InputError, match="environment must observe"):
        grid.parallel_env(DATA, observe=False)
    with pytest.raises(InputError, match="agent must be one of home_1"):
        env.action_space("home_9")
    with pytest.raises(InputError, match="choices must be at least two"):
        grid.parallel_env(DATA, choices=[1])


def test_homes_that_share_a_name_get_numbers():
    env = grid.parallel_env(grid.scenario_of(DATA).select([0, 0, 2]), n_hours=3)
    assert env.possible_agents == ["home_1 0", "home_1 1", "home_3 2"]


def test_grid_does_without_pettingzoo_and_names_the_extra():
    code = (
        "import sys; from trulysparse import MissingExtraError, grid\n"
        "homes = grid.GridEnvironments(grid.GridEnvironment(grid.sample_data(2), n_hours=24)); homes.reset(seed=0)\n"
        "print(sorted({'pettingzoo', 'gymnasium', 'scipy.optimize', 'pandas'} & {*sys.modules}))\n"
        "sys.modules['pettingzoo'] = None\n"
        "try: grid.parallel_env\n"
        "except MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nparallel_env needs PettingZoo: pip install 'trulysparse[grid]'\n"
