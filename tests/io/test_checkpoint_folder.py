"""Folders of a Checkpointer: what is in them, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.mapped_arrays import MANIFEST
from trulysparse.io.checkpoint_folder import LAYERS, STATE, has_state, newest, open_network, resume, state_file, states


def trainer_for(folder=None, sizes=(6, 12, 3), seed=1):
    storage = {} if folder is None else {"storage": "compact", "folder": folder}
    return ts.Trainer(ts.SparseMLP(sizes, epsilon=2, seed=seed, **storage), optimizer=ts.Adam(0.01), batch_size=8)


def train(trainer, folder, rng, epochs=2):
    trainer.fit(
        rng.normal(size=(20, 6)), rng.integers(0, 3, 20), epochs=epochs, callbacks=[ts.Checkpointer(folder, every=1)]
    )
    return trainer


@pytest.mark.parametrize("on_disk", [False, True])
def test_has_state_only_where_training_has_kept_some(tmp_path, rng, on_disk):
    assert not has_state(tmp_path / "none")
    assert not has_state(tmp_path)
    train(trainer_for(tmp_path / LAYERS if on_disk else None), tmp_path, rng)
    assert has_state(tmp_path)
    assert [path.name for path in states(tmp_path)][-2:] == (
        [] if on_disk else ["state-00000005.safetensors", "state-00000006.safetensors"]
    )


def test_states_are_in_the_order_of_their_updates(tmp_path):
    for name in (STATE, "state-2.safetensors", "state-00000010.safetensors", "state-x.safetensors", ".state-1.st"):
        (tmp_path / name).touch()
    wanted = [STATE, "state-2.safetensors", "state-00000010.safetensors"]
    assert [path.name for path in states(tmp_path)] == wanted
    assert state_file(tmp_path, 123_456_789).name == "state-123456789.safetensors"


def test_newest_is_the_newest_that_can_be_read(tmp_path):
    for number in range(3):
        state_file(tmp_path, number).touch()

    def read(path, unreadable):
        if path.name in unreadable:
            raise ts.InputError(f"{path.name} is damaged")
        return path.name

    names, said = [path.name for path in states(tmp_path)], []
    assert newest(tmp_path, lambda path: read(path, ()), said.append) == names[2]
    assert said == []
    assert newest(tmp_path, lambda path: read(path, names[1:]), said.append) == names[0]
    assert "state-00000002.safetensors is damaged" in said[0]
    assert "going on from" in said[0]
    with pytest.raises(ts.InputError, match=r"state-00000002.safetensors is damaged"):
        newest(tmp_path, lambda path: read(path, names), said.append)
    with pytest.raises(ts.InputError, match="holds no checkpoint"):
        newest(tmp_path / "none", read, said.append)


def test_resume_of_a_damaged_checkpoint_takes_the_one_before_and_says_so(tmp_path, rng):
    train(trainer_for(), tmp_path, rng)
    file = states(tmp_path)[-1]
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    trainer = trainer_for(seed=9)
    with pytest.warns(UserWarning, match="state-00000006.*going on from .*state-00000005"):
        resume(tmp_path, trainer)
    assert trainer.step_count == 5


@pytest.mark.parametrize("on_disk", [False, True])
def test_resume_puts_weights_state_and_counters_back(tmp_path, rng, on_disk):
    first = train(trainer_for(tmp_path / "kept" / LAYERS if on_disk else None), tmp_path / "kept", rng)
    second = trainer_for(tmp_path / "other" if on_disk else None, seed=9)
    position = resume(tmp_path / "kept", second)
    assert (position.epoch, position.done) == (3, 0)
    assert (second.step_count, second.state_updates) == (first.step_count, first.state_updates) == (6, 6)
    for a, b, s, t in zip(
        first.net.layers, second.net.layers, first.optimizer_state, second.optimizer_state, strict=True
    ):
        np.testing.assert_array_equal(a.weight.toarray(), b.weight.toarray())
        for x, y in zip(s.weight + s.bias, t.weight + t.bias, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("other", [{"sizes": (6, 10, 3)}, {"on_disk": False}])
def test_resume_from_layers_of_another_network_is_refused(tmp_path, rng, other):
    train(trainer_for(tmp_path / "kept" / LAYERS), tmp_path / "kept", rng)
    trainer = trainer_for(
        tmp_path / "other" if other.get("on_disk", True) else None, sizes=other.get("sizes", (6, 12, 3))
    )
    with pytest.raises(ts.InputError, match="holds another network"):
        resume(tmp_path / "kept", trainer)
    assert trainer.step_count == 0


@pytest.mark.parametrize("damage", [{"state_updates": -1}, {"state_updates": 99}, {"step_count": 1.5}, {"epoch": None}])
def test_counters_that_are_damaged_are_refused_by_file_name(tmp_path, rng, damage):
    train(trainer_for(tmp_path / LAYERS), tmp_path, rng)
    manifest = tmp_path / LAYERS / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | damage))
    with pytest.raises(ts.InputError, match=f"{LAYERS}.*{next(iter(damage))}"):
        open_network(tmp_path, None)
