from __future__ import annotations

import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from counting_environment import CountingEnvironment, StubAgent  # noqa: E402
from trulysparse.rl.checkpoint_callback import CheckpointCallback  # noqa: E402
from trulysparse.rl.loop import collect_and_learn  # noqa: E402


def test_checkpoints(tmp_path):
    agent = StubAgent(CountingEnvironment())
    other = tmp_path / "agent_5_steps.safetensors"
    other.write_text("of somebody else")
    callback = CheckpointCallback(10, tmp_path, keep=2)
    collect_and_learn(agent, 45, callback)
    names = [str(tmp_path / f"agent_{n}_steps.safetensors") for n in (10, 20, 30, 40)]
    assert agent.saved == [(name, False) for name in names]
    assert [str(path) for path in callback.paths] == names[2:]
    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted([*names[2:], str(other)])


def test_checkpoints_with_the_memory(tmp_path):
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 15)
    callback = CheckpointCallback(10, tmp_path / "new" / "folder", "walker", save_replay_buffer=True)
    collect_and_learn(agent, 20, callback)
    assert agent.saved == [(str(tmp_path / "new" / "folder" / f"walker_{n}_steps.safetensors"), True) for n in (20, 30)]


def test_checkpoint_is_of_the_end_of_a_step(tmp_path):
    agent = StubAgent(CountingEnvironment())
    seen = []
    agent.save = lambda path, replay: seen.append((agent.num_timesteps, agent.n_updates, agent.replay.n_transitions))
    collect_and_learn(agent, 30, CheckpointCallback(15, tmp_path))
    assert seen == [(15, 5, 15), (30, 20, 30)]


def test_file_in_place_of_the_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    agent = StubAgent(CountingEnvironment())
    with pytest.raises(InputError, match="save_path must be a folder, not the file"):
        collect_and_learn(agent, 5, CheckpointCallback(2, file))
    assert agent.num_timesteps == 0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CheckpointCallback(0, "x"), "save_freq must be at least 1"),
        (lambda: CheckpointCallback(1, 3), "save_path must be the path"),
        (lambda: CheckpointCallback(1, "x", "a/b"), "name_prefix must be"),
        (lambda: CheckpointCallback(1, "x", ""), "name_prefix must be"),
        (lambda: CheckpointCallback(1, "x", keep=0), "keep must be at least 1"),
        (lambda: CheckpointCallback(1, "x", save_replay_buffer=3), "save_replay_buffer must be True or False"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()
