"""Agents in files: learning goes on with the same bits, and what does not fit is refused whole."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import resource
import signal
import sys
import time

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.evolution import Evolution, Schedule, grow, prune
from trulysparse.rl.dynamic_capacity import DynamicCapacity

gymnasium = pytest.importorskip("gymnasium")

SMALL = {
    "hidden_layer_sizes": (24, 24),
    "batch_size": 32,
    "buffer_size": 150,
    "learning_starts": 40,
}
EVERY_20 = ts.SET(0.2, every_updates=20)
CASES = {
    "td3": ("TD3", "Pendulum-v1", {"evolution": EVERY_20, "density": 0.3}),
    "td3-options": (
        "TD3",
        "Pendulum-v1",
        {
            "actor_density": 0.5,
            "critic_density": (0.5, 0.3, 1.0),
            "actor_evolution": None,
            "critic_evolution": ts.RigL(0.3, every_updates=20, until=0.9),
            "n_steps": 3,
            "normalize_observations": True,
            "gradient_steps": 2,
            "train_freq": 2,
            "dynamic_capacity": True,
        },
    ),
    "sac": ("SAC", "Pendulum-v1", {"evolution": EVERY_20, "density": 0.3, "target_update_interval": 7}),
    "dqn": ("DQN", "CartPole-v1", {"evolution": EVERY_20, "exploration_fraction": 0.7, "max_grad_norm": 10.0}),
}


def new(case: str, env=None, **changes):
    name, env_id, settings = CASES[case]
    return getattr(ts.rl, name)(env or env_id, **SMALL | {"seed": 3} | settings | changes)


def kind(case: str):
    return getattr(ts.rl, CASES[case][0])


def everything(agent) -> dict[str, np.ndarray]:
    """All that an agent consists of, through what a file holds of it."""
    parts = agent.to_parts(replay=True)
    found = dict(parts.arrays) | parts.large
    for name, net in parts.networks.items():
        for number, layer in enumerate(net.layers):
            rows = layer.connectivity.by_input
            for what, array in (("ptr", rows.ptr), ("index", rows.index), ("w", layer.values), ("b", layer.bias)):
                found[f"{name}.{number}.{what}"] = array
    found["config"] = np.array(json.dumps({k: v for k, v in parts.config.items() if k != "parameters"}))
    return {name: array.copy() for name, array in found.items()}


def assert_same(one, two) -> None:
    first, second = everything(one), everything(two)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("steps", [30, 230])  # before and after the first update; the ring of the replay comes round
def test_learning_goes_on_with_the_same_bits(case, steps, tmp_path):
    agent = new(case).learn(steps)
    agent.save(tmp_path / "a", replay=True)
    other = kind(case).load(tmp_path / "a", CASES[case][1])
    assert_same(agent, other)
    observation = agent.environments.reset(5)[0]
    np.testing.assert_array_equal(
        agent.predict(observation, deterministic=True)[0], other.predict(observation, deterministic=True)[0]
    )
    for each in (agent, other):
        each.learn(150, reset_num_timesteps=False)
    assert other.num_timesteps == steps + 150
    assert_same(agent, other)


@pytest.mark.parametrize("threads", [1, 2])
def test_learning_goes_on_from_a_checkpoint_in_the_middle_of_an_episode(threads, tmp_path):
    """The episode ends with the process that it was in: what a file of the middle gives is what it gives once more."""
    new("td3").learn(240, callbacks=ts.rl.CheckpointCallback(130, tmp_path, save_replay_buffer=True))
    (path,) = tmp_path.iterdir()
    one, two = (ts.rl.TD3.load(path, "Pendulum-v1", threads=each) for each in (1, threads))
    for each in (one, two):
        each.learn(110, reset_num_timesteps=False)
    assert one.num_timesteps == two.num_timesteps == 240
    assert one.replay.n_transitions == 148  # of 150 slots one ends the episode that was interrupted, one is the newest
    assert_same(one, two)


def test_several_environments(tmp_path):
    envs = gymnasium.make_vec("Pendulum-v1", 3, vectorization_mode="sync")
    agent = new("td3", env=envs).learn(300)
    agent.save(tmp_path / "a", replay=True)
    other = ts.rl.TD3.load(tmp_path / "a", gymnasium.make_vec("Pendulum-v1", 3, vectorization_mode="sync"))
    for each in (agent, other):
        each.learn(90, reset_num_timesteps=False)
    assert_same(agent, other)
    with pytest.raises(ts.InputError, match="env must be 3 environments, as the replay buffer has, not 1"):
        ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1")
    agent.save(tmp_path / "b")  # without transitions the number of environments is free
    ts.rl.TD3.load(tmp_path / "b", "Pendulum-v1").learn(50, reset_num_timesteps=False)


def test_dynamic_capacity_goes_on_where_it_was(tmp_path):
    agent = new("td3-options", seed=1)
    agent.dynamic_capacity = DynamicCapacity(0.0, every=60, n_oldest=32, least=20)
    agent.learn(100)
    assert agent.replay.n_transitions == 94  # after 60 steps a tenth went, once
    agent.save(tmp_path / "a", replay=True)
    other = ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1")
    assert other.dynamic_capacity.compared == 1


@pytest.mark.parametrize("preset", ["default", "faithful", "ultra", "anf"])
def test_every_preset_comes_back(preset, tmp_path):
    """Also 'faithful', whose settings depend on the name of the environment, which the file's reader may not have."""
    settings = {"preset": preset} | ({"hidden_layer_sizes": (24, 24)} if preset != "anf" else {})
    agent = ts.rl.TD3("Pendulum-v1", **settings)
    agent.save(tmp_path / "a")
    other = ts.rl.TD3.load(tmp_path / "a")
    assert repr(other.settings) == repr(agent.settings)
    assert other.parameters["preset"] == preset
    assert_same(agent, other)


def test_any_reader_of_models_reads_agents(tmp_path):
    agent = new("td3").learn(60)
    ts.save(agent, tmp_path / "a")
    other = ts.load(tmp_path / "a")
    assert type(other) is ts.rl.TD3
    assert other.replay is None
    np.testing.assert_array_equal(
        agent.predict([1, 0, 0.5], deterministic=True)[0], other.predict([1, 0, 0.5], deterministic=True)[0]
    )
    with pytest.raises(ts.InputError, match="the agent has no environment to learn from: give it one with set_env"):
        other.learn(10)
    other.set_env("Pendulum-v1")
    other.learn(60, reset_num_timesteps=False)


def test_agent_acts_where_gymnasium_is_missing(tmp_path, monkeypatch):
    agent = new("td3").learn(60)
    agent.save(tmp_path / "a")
    for name in [name for name in sys.modules if name.split(".")[0] == "gymnasium"]:
        monkeypatch.setitem(sys.modules, name, None)
    other = ts.rl.TD3.load(tmp_path / "a")
    np.testing.assert_array_equal(
        agent.predict([1, 0, 0.5], deterministic=True)[0], other.predict([1, 0, 0.5], deterministic=True)[0]
    )
    with pytest.raises(ts.MissingExtraError, match="rl"):
        ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1")


def test_size_of_the_replay_buffer_is_said_first(tmp_path, caplog):
    agent = new("td3").learn(100)
    with caplog.at_level(logging.INFO, "trulysparse"):
        agent.save(tmp_path / "a")
    assert not caplog.messages
    with caplog.at_level(logging.INFO, "trulysparse"):
        agent.save(tmp_path / "b", replay=True)
    taken = (tmp_path / "b").stat().st_size - (tmp_path / "a").stat().st_size
    size = agent.replay.state()["slots"].nbytes
    assert caplog.messages == [f"{tmp_path}/b: the replay buffer takes {memory.human(size)} of the file"]
    assert abs(taken - size) < 1500
    with caplog.at_level(logging.INFO, "trulysparse"):
        ts.rl.TD3.load(tmp_path / "b")
    assert caplog.messages[1:] == [
        f"{tmp_path}/b: learning goes on with new episodes, as no file holds the state of an environment"
    ]


def test_replay_buffer_may_come_back_into_files(tmp_path):
    agent = new("td3").learn(100)
    agent.save(tmp_path / "a", replay=True)
    other = ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1", replay_folder=tmp_path / "f")
    for each in (agent, other):
        each.learn(60, reset_num_timesteps=False)
    assert_same(agent, other)
    assert (tmp_path / "f").is_dir()


def test_replay_buffer_larger_than_memory_is_refused(tmp_path, monkeypatch):
    agent = new("td3", buffer_size=50_000_000).learn(50)
    agent.save(tmp_path / "a", replay=True)
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 29)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"a replay buffer of 50,000,000 slots needs about 1001\.4 MiB"):
        ts.rl.TD3.load(tmp_path / "a")


# ---- settings of the reader's own ----


def test_settings_may_be_given_anew(tmp_path):
    new("td3").learn(100).save(tmp_path / "a", replay=True)
    given = {"learning_rate": 0.5, "actor_evolution": None, "tau": 1.0, "learning_starts": 70}
    agent = ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1", **given)
    assert agent.learning_starts == 70
    assert (agent.settings.learning_rate, agent.settings.tau) == (0.5, 1.0)
    assert agent.learners["actor"].optimizer.learning_rate == 0.5
    agent.learn(50, reset_num_timesteps=False)
    agent.save(tmp_path / "b")
    assert ts.rl.TD3.load(tmp_path / "b").settings.tau == 1.0


@pytest.mark.parametrize(
    "name, value, problem",
    [
        ("actor_density", 0.1, "actor_density cannot change: the networks of the file were made by it"),
        ("critic_epsilon", 3, "critic_epsilon cannot change"),
        ("hidden_layer_sizes", (3, 3), "hidden_layer_sizes cannot change"),
        ("density", 0.3, "there is no setting 'density'; there are hidden_layer_sizes,"),
        ("preset", "ultra", "there is no setting 'preset'"),
        ("buffer_size", 9, "buffer_size cannot change: the file holds a replay buffer of that size"),
        ("tau", 7, "tau must"),
    ],
)
def test_settings_that_cannot_change(name, value, problem, tmp_path):
    new("td3").learn(10).save(tmp_path / "a", replay=True)
    with pytest.raises(ts.InputError, match=problem):
        ts.rl.TD3.load(tmp_path / "a", **{name: value})


def test_evolution_of_ones_own_must_be_given_again(tmp_path):
    own = Evolution(prune.sign_magnitude, grow.uniform, Schedule(0.1, every_updates=10))
    agent = new("td3", critic_evolution=own).learn(100)
    agent.save(tmp_path / "a", replay=True)
    with pytest.raises(ts.InputError, match="critic_evolution was 'Evolution', one of your own: load with critic_evol"):
        ts.rl.TD3.load(tmp_path / "a")
    other = ts.rl.TD3.load(tmp_path / "a", "Pendulum-v1", critic_evolution=own)
    for each in (agent, other):
        each.learn(100, reset_num_timesteps=False)
    assert_same(agent, other)


# ---- files that are not what they must be ----


def test_damaged_files_are_refused(tmp_path):
    agent = new("td3").learn(60)
    agent.save(tmp_path / "a", replay=True)
    whole = (tmp_path / "a").read_bytes()
    for size in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "b").write_bytes(whole[:size])
        with pytest.raises(ts.InputError, match="is truncated or not a file of an agent"):
            ts.rl.TD3.load(tmp_path / "b")
    settings = whole.index(b"num_timesteps") + 18  # a digit
    for at, problem in ((settings, "its settings have"), (len(whole) - 9, "has")):
        (tmp_path / "b").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ts.InputError, match=f"{problem} changed since it was written"):
            ts.rl.TD3.load(tmp_path / "b")


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(ts.InputError, match=r"file of an agent \(TD3\) .*nowhere does not exist"):
        ts.rl.TD3.load(tmp_path / "nowhere")
    ts.save(ts.SparseMLP((3, 4, 2)), tmp_path / "net")
    with pytest.raises(ts.InputError, match="net: it holds a network, not a TD3"):
        ts.rl.TD3.load(tmp_path / "net")
    (tmp_path / "text").write_text("no safetensors")
    with pytest.raises(ts.InputError, match="text is truncated or not a file of an agent"):
        ts.rl.TD3.load(tmp_path / "text")


def test_environment_of_other_spaces_is_refused(tmp_path):
    new("td3").save(tmp_path / "a")
    with pytest.raises(ts.InputError, match="env must have the spaces of the agent"):
        ts.rl.TD3.load(tmp_path / "a", "MountainCarContinuous-v0")
    with pytest.raises(ts.InputError, match="actions are choices"):
        ts.rl.TD3.load(tmp_path / "a", "CartPole-v1")


def test_full_disk_leaves_the_old_file(tmp_path):
    agent = new("td3").learn(60)
    agent.save(tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(OSError, match="a: cannot be written: File too large"):
            agent.learn(10).save(tmp_path / "a", replay=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (tmp_path / "a").read_bytes() == before
    assert os.listdir(tmp_path) == ["a"]


def _save_slowly(path, started):
    agent = ts.rl.TD3.load(path)

    def progress(what, done, total):
        started.set()
        time.sleep(60)

    agent.save(path, progress=progress)


def test_process_that_is_killed_leaves_the_old_file(tmp_path):
    new("td3").learn(60).save(tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_save_slowly, args=(tmp_path / "a", started))
    process.start()
    assert started.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (tmp_path / "a").read_bytes() == before
    ts.rl.TD3.load(tmp_path / "a")


def test_buffer_without_room_for_an_episode_is_refused():
    with pytest.raises(ts.InputError, match="buffer_size must be at least 3, not 2"):
        new("td3", buffer_size=2).learn(10)
