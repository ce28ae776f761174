"""What teams have in common: actions, policies, the same bits, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trulysparse as ts
from team_games import SignalGame
from trulysparse.errors import DivergenceError, InputError
from trulysparse.evolution import SET
from trulysparse.rl.policy import Policy
from trulysparse.rl.qmix import QMIX
from trulysparse.rl.targets import SoftMellowmax
from trulysparse.rl.team_environment import TeamSpaces
from trulysparse.rl.vdn import IQL, VDN

pytest.importorskip("gymnasium")

SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (16, 16),
    "density": 0.4,
    "batch_size": 16,
    "learning_starts": 20,
    "buffer_size": 200,
}


def observations(n: int = 40) -> list[dict[str, np.ndarray]]:
    game = SignalGame((3, 2, 3), (4, 3, 4))
    return [game.reset(seed=k)[0] for k in range(n)]


def team_of(kind: Any = VDN, **settings: Any) -> Any:
    return kind(SignalGame((3, 2, 3), (4, 3, 4)), seed=3, **{**SMALL, **settings})


@pytest.mark.parametrize("shared", [True, False])
def test_policies_act_as_the_team_by_each_agents_own_observation(shared: bool, tmp_path: Path) -> None:
    team = team_of(share_parameters=shared, learning_rate=5e-3, train_freq=1, gamma=0.5).learn(200)
    policies = team.freeze()
    assert list(policies) == ["player_0", "player_1", "player_2"]
    for agent, policy in policies.items():
        policy.save(tmp_path / f"{agent}.safetensors")
    loaded = {agent: Policy.load(tmp_path / f"{agent}.safetensors") for agent in policies}
    chosen = []
    for seen in observations():
        actions, state = team.predict(seen, deterministic=True)
        assert state is None
        assert {agent: int(policies[agent](seen[agent])) for agent in seen} == actions
        assert {agent: int(loaded[agent](seen[agent])) for agent in seen} == actions
        chosen.append(tuple(actions.values()))
    assert len(set(chosen)) > 3


def test_agents_that_are_out_get_no_action() -> None:
    team = team_of()
    seen = observations(1)[0]
    del seen["player_1"]
    actions, _ = team.predict(seen, deterministic=True)
    assert list(actions) == ["player_0", "player_2"]


def test_exploration_falls_and_each_agent_explores_by_itself() -> None:
    team = team_of(exploration_fraction=0.5, exploration_final_eps=0.1)
    rates: list[float] = []
    team.learn(100, callbacks=lambda agent: rates.append(agent.exploration_rate))
    np.testing.assert_allclose(rates[:50], 1 - 0.9 * np.arange(1, 51) / 50)
    np.testing.assert_allclose(rates[50:], 0.1)
    seen = observations(1)[0]
    best, _ = team.predict(seen, deterministic=True)
    team.num_timesteps = 25
    drawn = [team.predict(seen)[0] for _ in range(2000)]
    other = np.array([[actions[agent] != best[agent] for agent in best] for actions in drawn])
    # With probability 0.55 an action is drawn, and then it is another one in 2 of 3, or 1 of 2, cases.
    np.testing.assert_allclose(other.mean(axis=0), 0.55 * np.array([2 / 3, 1 / 2, 2 / 3]), atol=0.05)
    assert abs(np.corrcoef(other.T.astype(float))[0, 1]) < 0.1


def bits(team: Any) -> list[bytes]:
    arrays = [team.replay.observations, team.replay.actions]
    for learner in team.learners.values():
        for net in (*learner.nets, *learner.targets):
            arrays += [layer.values for layer in net.layers] + [layer.bias for layer in net.layers]
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("kind", [IQL, VDN, QMIX])
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(kind: Any) -> None:
    first, second, other = (team_of(kind, threads=threads) for threads in (1, 3, 1))
    other.seed += 1
    for team in (first, second, other):
        team.learn(80)
    assert bits(first) == bits(second)
    assert bits(first) != bits(other)


def test_updates_are_counted_as_steps_are() -> None:
    assert team_of(train_freq=4, gradient_steps=2).learn(100).n_updates == 40
    assert team_of(train_freq=4, gradient_steps=-1).learn(100).n_updates == 80
    team = team_of(train_freq=1).learn(60)
    assert (team.n_updates, team.num_timesteps) == (40, 60)
    team.learn(30, reset_num_timesteps=False)
    assert (team.n_updates, team.num_timesteps) == (70, 90)
    team.learn(30)
    assert (team.n_updates, team.num_timesteps) == (80, 30)


def test_targets_follow_by_steps() -> None:
    team = team_of(tau=1.0, target_update_interval=30, train_freq=2)
    assert team.target_update_every == 15
    followed = []

    def look(agent: Any) -> None:
        (learner,) = agent.learners.values()
        pairs = zip(learner.nets[0].layers, learner.targets[0].layers, strict=True)
        if all(np.array_equal(layer.values, target.values) for layer, target in pairs):
            followed.append(agent.n_updates)

    team.learn(100, callbacks=look)
    assert set(followed) == {0, 15, 30}


def test_a_log_has_stable_baselines_names(tmp_path: Path) -> None:
    team_of(QMIX).learn(120, log=tmp_path)
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert len(lines) > 3
    header = lines[0].split(",")
    for name in ("time/total_timesteps", "rollout/ep_rew_mean", "train/loss", "sparse/connections", "replay/bytes"):
        assert name in header
    last = dict(zip(header, lines[-1].split(","), strict=True))
    assert float(last["rollout/ep_len_mean"]) == 5
    assert 0 < float(last["rollout/ep_rew_mean"]) < 5


def test_returns_are_the_mean_of_agents() -> None:
    game = SignalGame((3, 2, 3), (4, 3, 4))
    team = VDN(game, seed=3, **SMALL).learn(40)
    rewards = [sum(step["rewards"].values()) / 3 for step in game.log if "rewards" in step]
    assert team.collector is not None
    np.testing.assert_allclose(team.collector.last_returns, np.reshape(rewards, (8, 5)).sum(axis=1), rtol=1e-6)
    assert list(team.collector.last_lengths) == [5] * 8


def test_divergence_is_said() -> None:
    game = SignalGame()
    step = game.step

    def large(actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        observations, rewards, *others = step(actions)
        return observations, {agent: 1e30 * reward for agent, reward in rewards.items()}, *others

    game.step = large  # type: ignore[method-assign]
    with pytest.raises(DivergenceError, match="training has diverged; lower learning_rate"), np.errstate(all="ignore"):
        VDN(game, **SMALL | {"train_freq": 1, "learning_rate": 100.0}).learn(1000)


def test_a_team_without_an_environment_acts_but_does_not_learn() -> None:
    team = VDN(TeamSpaces(("player_0", "player_1"), (4, 4), (3, 3)), **SMALL)
    assert len(team.predict(SignalGame().reset(seed=0)[0])[0]) == 2
    with pytest.raises(InputError, match="set_env"):
        team.learn(10)
    with pytest.raises(InputError, match="env must have the spaces of the team's own"):
        team.set_env(SignalGame((3, 2)))
    team.set_env(SignalGame())
    assert team.learn(30).num_timesteps == 30


def test_what_is_not_observations_by_agent_is_refused() -> None:
    team = team_of()
    with pytest.raises(InputError, match="dict of observations by agent"):
        team.predict(np.zeros((3, 4)))
    seen = observations(1)[0]
    seen["player_2"] = np.array([0, 0, np.nan, 0])
    with pytest.raises(InputError, match="'player_2' is not finite at index 2"):
        team.predict(seen)


@pytest.mark.parametrize("steps", [0, -3, 1.5])
def test_steps_are_at_least_one(steps: Any) -> None:
    with pytest.raises(InputError, match="total_timesteps"):
        team_of().learn(steps)


@pytest.mark.parametrize(
    "kind, settings",
    [
        (IQL, {"share_parameters": False}),
        (VDN, {"mixer": None, "evolution": "rigl"}),
        (QMIX, {"soft_mellowmax": SoftMellowmax(2, 5), "td_lambda": 0.5, "sequence_length": 4}),
    ],
)
def test_learning_goes_on_from_a_file_with_the_same_bits(kind: Any, settings: dict[str, Any], tmp_path: Path) -> None:
    settings = {"evolution": SET(0.2, every_updates=10), "train_freq": 1} | settings
    team = team_of(kind, **settings).learn(60)
    team.save(tmp_path / "team.safetensors", replay=True)
    other = kind.load(tmp_path / "team.safetensors", SignalGame((3, 2, 3), (4, 3, 4)))
    assert repr(other.settings) == repr(team.settings)
    for each in (team, other):
        each.learn(40, reset_num_timesteps=False)
    assert bits(other) == bits(team)
    assert other.num_timesteps == 100
    assert other.collector.episodes == team.collector.episodes
    seen = observations(1)[0]
    assert other.predict(seen)[0] == team.predict(seen)[0]  # the same random state


@pytest.mark.parametrize("from_file", [True, False])
def test_updates_wait_for_a_sequence(from_file: bool, tmp_path: Path) -> None:
    settings = {"td_lambda": 0.5, "sequence_length": 8, "train_freq": 1}
    if from_file:  # without its replay
        team_of(QMIX, **settings).learn(40).save(tmp_path / "team.safetensors")
        team = QMIX.load(tmp_path / "team.safetensors", SignalGame((3, 2, 3), (4, 3, 4)))
    else:
        team = team_of(QMIX, **settings, learning_starts=0)
    before = team.n_updates
    team.learn(12, reset_num_timesteps=False)
    assert 0 < team.n_updates - before < 12


def test_a_team_in_a_file_acts_without_an_environment(tmp_path: Path) -> None:
    team = team_of(QMIX).learn(40)
    team.save(tmp_path / "team.safetensors")
    other = ts.load(tmp_path / "team.safetensors")
    assert type(other) is QMIX
    assert other.replay is None
    for seen in observations(5):
        assert other.predict(seen, deterministic=True) == team.predict(seen, deterministic=True)


def test_files_of_other_kinds_and_changed_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "team.safetensors"
    team_of(QMIX).learn(40).save(path)
    with pytest.raises(InputError, match="it holds a QMIX, not a VDN"):
        VDN.load(path)
    with pytest.raises(InputError, match="env must have the spaces"):
        QMIX.load(path, SignalGame((3, 2)))
    with pytest.raises(InputError):
        QMIX.load(path, mixing_units=7)
    with pytest.raises(InputError, match="replay_folder must be None"):
        QMIX.load(path, replay_folder=tmp_path)
    assert QMIX.load(path, learning_rate=1e-4).settings.learning_rate == 1e-4


def test_a_team_acts_in_a_process_without_pettingzoo_and_gymnasium(tmp_path: Path) -> None:
    team = team_of().learn(40)
    team.save(tmp_path / "team.safetensors")
    team.freeze()["player_0"].save(tmp_path / "policy.safetensors")
    code = (
        "import sys; sys.modules.update(gymnasium=None, pettingzoo=None); import trulysparse as ts;"
        "team, policy = (ts.load(sys.argv[1] + name) for name in ('/team.safetensors', '/policy.safetensors'));"
        "print(team.predict({'player_0': [0, 1, 0, 0.5]}, deterministic=True)[0], policy([0, 1, 0, 0.5]))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    action = team.predict({"player_0": [0, 1, 0, 0.5]}, deterministic=True)[0]
    assert done.stdout == f"{action} {action['player_0']}\n"


def test_a_call_of_learn_that_is_refused_changes_nothing() -> None:
    team = VDN(SignalGame(), **SMALL).learn(20)
    before = team.total_timesteps, [learner.total_updates for learner in team.learners.values()]
    with pytest.raises(InputError):
        team.learn(500, callbacks=["not a callback"])
    assert before == (team.total_timesteps, [learner.total_updates for learner in team.learners.values()])
