"""Layers in memory-mapped files: the same bits as in memory, and the end of the last step after any break."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core.mapped_arrays import MANIFEST, ArrayFolder, committed
from trulysparse.io.checkpoint_folder import LAYERS, open_network
from trulysparse.io.position import Position
from trulysparse.training.callbacks.checkpointer import Checkpointer

SIZES = (20, 3000, 2000, 3)


class Stop(Exception):
    pass


class Break(ts.Callback):
    """Breaks off at the n-th call of one hook, before or after a Checkpointer as they are given."""

    comes_last = True

    def __init__(self, hook: str, n: int) -> None:
        self.left = n

        def called(trainer, *_):
            self.left -= 1
            if self.left == 0:
                raise Stop

        setattr(self, hook, called)


def make(folder=None, **settings) -> ts.SparseMLP:
    return ts.SparseMLP(
        SIZES, epsilon=2, storage="compact", weights="bfloat16", signals="bfloat16", seed=1, folder=folder, **settings
    )


def trainer_for(net, optimizer_state=None) -> ts.Trainer:
    return ts.Trainer(
        net,
        optimizer=ts.SGD(0.05),
        evolution=ts.SET(),
        batch_size=16,
        dropout=0.1,
        seed=2,
        optimizer_state=optimizer_state,
    )


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(70, 20)), rng.integers(0, 3, 70)


@pytest.fixture(scope="module")
def unbroken(samples):
    """Four epochs in memory."""
    trainer = trainer_for(make())
    trainer.fit(*samples, epochs=4)
    return trainer


def parameters(net, trainer) -> list[np.ndarray]:
    found = [a for x in net.layers for a in (x.values, x.bias, x.connectivity.packed, x.connectivity.ptr)]
    return found + [
        a for optimizer_state in trainer.optimizer_state for a in optimizer_state.weight + optimizer_state.bias
    ]


def test_same_bits_as_in_memory(samples, unbroken, tmp_path):
    trainers = [unbroken, trainer_for(make(tmp_path / "layers"))]
    trainers[1].fit(*samples, epochs=4)
    for a, b in zip(*(parameters(t.net, t) for t in trainers), strict=True):
        np.testing.assert_array_equal(a, b)
    X = samples[0]
    np.testing.assert_array_equal(trainers[0].net.predict_proba(X), trainers[1].net.predict_proba(X))


@pytest.mark.parametrize(
    "hook, n",
    [
        ("on_step_end", 1),
        ("on_step_end", 6),
        ("on_evolution", 1),
        ("on_epoch_end", 2),
        ("on_progress", 1),
        ("on_progress", 4),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_goes_on_after_a_break(samples, unbroken, tmp_path, hook, n, before):
    """The break comes before or after what is in force has been committed."""
    first = trainer_for(make(tmp_path / LAYERS))
    callbacks = [Break(hook, n), Checkpointer(tmp_path, every=1)]
    with pytest.raises(Stop):
        first.fit(*samples, epochs=4, callbacks=callbacks if before else callbacks[::-1])
    if not before:
        first.step(*samples)  # the beginning of the next update, which a kill may find at any place
    net, optimizer_state, state = open_network(tmp_path, None)
    second = trainer_for(net, optimizer_state)
    second.step_count = state["step_count"]
    start = Position.from_json(state["position"])
    history = second.fit(*samples, epochs=4, resume=start, callbacks=[Checkpointer(tmp_path, every=1)])
    assert len(history) == 4
    for a, b in zip(parameters(unbroken.net, unbroken), parameters(net, second), strict=True):
        np.testing.assert_array_equal(a, b)
    # Nothing is left of topologies that have gone: 2 files of connections, 2 x 2 of weights and biases, as many of
    # momentum.
    assert len(list((tmp_path / LAYERS).iterdir())) == 1 + 3 * (2 + 4 + 4)


def test_a_damaged_folder(samples, tmp_path):
    with pytest.raises(ts.InputError, match="holds no network"):
        open_network(tmp_path, None)
    trainer = trainer_for(make(tmp_path / LAYERS))
    trainer.fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
    folder = tmp_path / LAYERS
    victim = next(f for f in folder.iterdir() if f.name.startswith("layer0.weight"))
    os.truncate(victim, 100)
    with pytest.raises(ts.InputError, match="missing or shorter"):
        open_network(tmp_path, None)
    (folder / MANIFEST).write_text('{"network": ')
    with pytest.raises(ts.InputError, match="cannot be read"):
        open_network(tmp_path, None)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="has no room for") as caught:
        make(tmp_path / "layers")
    assert caught.value.errno == errno.ENOSPC
    assert not list((tmp_path / "layers").iterdir())


def test_empty_arrays(tmp_path):
    folder = ArrayFolder(tmp_path)
    array = folder.create("none", 0, np.dtype(np.float32))
    assert array.shape == (0,)


def files_of(folder):
    return {f.name for f in folder.iterdir() if f.name != MANIFEST}


@pytest.mark.parametrize("checkpointed", [False, True])
def test_evolve_again_and_again_keeps_the_number_of_files(samples, tmp_path, checkpointed):
    folder = tmp_path / LAYERS
    trainer = trainer_for(make(folder))
    counts, sizes = [], []
    for _ in range(4):
        if checkpointed:
            trainer.fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
        trainer.evolve()
        trainer.step(*samples)
        counts.append(len(files_of(folder)))
        sizes.append(sum(f.stat().st_size for f in folder.iterdir()))
    # 2 files of connections, 2 of weights, biases, and momentum of both each; where committed, once more what evolved.
    assert counts[0] == counts[-1] <= 3 * 10 + (2 * 8 if checkpointed else 0)
    assert sizes[-1] < 1.1 * sizes[0]


def test_reset_state_again_and_again_keeps_the_number_of_files(tmp_path):
    trainer = trainer_for(make(tmp_path / LAYERS))
    before = len(files_of(tmp_path / LAYERS))
    for _ in range(3):
        trainer.reset_state()
    assert len(files_of(tmp_path / LAYERS)) == before


def test_files_go_with_a_network_that_was_never_committed(tmp_path):
    net = make(tmp_path / LAYERS)
    assert files_of(tmp_path / LAYERS)
    del net
    gc.collect()
    assert not files_of(tmp_path / LAYERS)


def test_committed_files_stay_when_the_network_goes(samples, tmp_path):
    trainer = trainer_for(make(tmp_path / LAYERS))
    trainer.fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
    expected = [np.array(a) for a in parameters(trainer.net, trainer)]
    del trainer
    gc.collect()
    net, optimizer_state, _ = open_network(tmp_path, None)
    for a, b in zip(expected, parameters(net, trainer_for(net, optimizer_state)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years")
    with pytest.raises(ts.InputError, match=r"folder: .* holds files that are not layers"):
        make(folder)
    with pytest.raises(ts.InputError, match="is not a folder"):
        make(folder / "thesis.txt")
    (folder / MANIFEST).write_text('{"name": "another program\'s"}')
    with pytest.raises(ts.InputError, match="does not name any layers"):
        make(folder)
    assert files_of(folder) == {"thesis.txt"}
    assert (folder / "thesis.txt").read_text() == "years"


def test_commit_leaves_files_that_it_did_not_make(samples, tmp_path):
    folder = tmp_path / LAYERS
    trainer = trainer_for(make(folder))
    strangers = ["thesis.txt", "layer0.weight.1", "layer0.weight.0123456789abcdef.1", "layer0.weight.bak", ".hidden"]
    for name in strangers:
        (folder / name).write_text("years")
    (folder / "sub").mkdir()
    trainer.fit(*samples, epochs=3, callbacks=[Checkpointer(tmp_path, every=1)])
    second = trainer_for(make(folder))
    second.fit(*samples, epochs=2, callbacks=[Checkpointer(tmp_path, every=1)])
    assert all((folder / name).read_text() == "years" for name in strangers)
    assert (folder / "sub").is_dir()
    assert len(files_of(folder)) == len(strangers) + 1 + 3 * 10  # and what the first network left has gone


def test_a_manifest_cannot_make_commit_delete_other_files(samples, tmp_path):
    outside = tmp_path / "thesis.txt"
    outside.write_text("years")
    folder = tmp_path / LAYERS
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    entries = [{"file": name, "size": 1, "type": "float32"} for name in ("../thesis.txt", str(outside), "mine.txt")]
    (folder / MANIFEST).write_text(json.dumps({"layers": [{"weight": entries}], "writers": ["", "..", 3, None]}))
    trainer_for(make(folder)).fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
    assert outside.read_text() == "years"
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("settings", [{"epsilon": -1}, {"epsilon": 1e9}, {"connectivity": "small_world"}, {"seed": -1}])
def test_a_refused_network_leaves_no_folder(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("trulysparse._core.memory.free_bytes", lambda: 1 << 26)
    with pytest.raises((ts.InputError, MemoryError)):
        ts.SparseMLP((200, 300, 3), storage="compact", folder=tmp_path / "new", **settings)
    assert not (tmp_path / "new").exists()


def test_early_stopping_restores_the_best_layers(samples, tmp_path):
    found = []
    for folder in (None, tmp_path / LAYERS):
        trainer = trainer_for(make(folder))
        stopping = ts.EarlyStopping("loss", patience=2, mode="max")  # losses fall: an early epoch is the best
        extra = [Checkpointer(tmp_path, every=1)] if folder else []
        trainer.fit(*samples, epochs=5, callbacks=[stopping, *extra])
        assert stopping.best_epoch < 5
        found.append([np.array(a) for a in parameters(trainer.net, trainer)])
        trainer.step(*samples)  # and goes on
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    trainer.fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
    assert len(files_of(tmp_path / LAYERS)) == 3 * 10


def committed_run(samples, tmp_path):
    trainer = trainer_for(make(tmp_path / LAYERS))
    trainer.fit(*samples, epochs=1, callbacks=[Checkpointer(tmp_path, every=1)])
    return json.loads((tmp_path / LAYERS / MANIFEST).read_text())


def everything(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir()}


@pytest.mark.parametrize(
    ("part", "number", "damage"),
    [
        ("connectivity", 0, lambda a: a.__setitem__(1, 2**40)),
        ("connectivity", 0, lambda a: a.__setitem__(0, -1)),
        ("connectivity", 1, lambda a: a.__setitem__(0, 0xFFFFFFFF)),
        ("connectivity", 1, lambda a: a.__setitem__(slice(0, 2), a[1::-1].copy())),
        ("weight", 0, lambda a: a.__setitem__(3, 0x7FC0)),
        ("weight", 1, lambda a: a.__setitem__(3, np.inf)),
        ("bias", 0, lambda a: a.__setitem__(3, 0xFF80)),
    ],
)
def test_damaged_layer_files_are_refused_and_nothing_changes(samples, tmp_path, part, number, damage):
    entry = committed_run(samples, tmp_path)["layers"][1][part][number]
    file = tmp_path / LAYERS / entry["file"]
    array = np.fromfile(file, {"bfloat16": "u2"}.get(entry["type"], entry["type"]))
    damage(array)
    array.tofile(file)
    before = everything(tmp_path / LAYERS)
    with pytest.raises(ts.InputError, match=r"manifest.json': layers\[1\]: ") as caught:
        open_network(tmp_path, None)
    assert "\n" not in str(caught.value)
    gc.collect()
    assert everything(tmp_path / LAYERS) == before


def each_place(part, path=()):
    """The path to every value of a manifest."""
    if path:
        yield path
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if key not in ("records", "writers") and not (path == ("layers",) and key > 0):
            yield from each_place(value, (*path, key))


def test_manifests_that_are_not_sound_are_refused_in_one_sentence(samples, tmp_path):
    state = committed_run(samples, tmp_path)
    manifest = tmp_path / LAYERS / MANIFEST
    before = everything(tmp_path / LAYERS)
    accepted, sentences = [], []
    for path in each_place(state):
        for value in (None, "../../etc/passwd", -1, 10**12, []):
            text = json.loads(json.dumps(state))
            part = text
            for key in path[:-1]:
                part = part[key]
            if part[path[-1]] == value:
                continue
            part[path[-1]] = value
            manifest.write_text(json.dumps(text))
            try:
                open_network(tmp_path, None)
                accepted.append((path, value))
            except ts.InputError as error:
                sentences.append(str(error))
    assert not [sentence for sentence in sentences if "\n" in sentence]
    free = ("scaling", "labels", "balance", "seed", "epsilon", "shifts", "fan", "version", "epoch", "step_count")
    free += ("position", "alpha")  # numbers that any number may take the place of
    assert not [where for where in accepted if not set(where[0]) & set(free)]
    manifest.write_text("[" * 100_000)
    with pytest.raises(ts.InputError, match="cannot be read"):
        open_network(tmp_path, None)
    manifest.write_bytes(before[MANIFEST])
    gc.collect()
    assert everything(tmp_path / LAYERS) == before


def test_commit_writes_new_files_to_the_disk_before_it_names_them(samples, tmp_path, monkeypatch):
    done = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda h: (done.append(os.readlink(f"/proc/self/fd/{h}")), sync(h)))
    monkeypatch.setattr(Path, "replace", lambda a, b: (done.append(f"rename {Path(b).name}"), rename(a, b))[1])
    trainer = trainer_for(make(tmp_path / LAYERS))
    done.clear()
    Checkpointer(tmp_path, every=1).on_fit_start(trainer, 1, 1)
    named = set(re.findall(r'"file": "([^"]+)"', (tmp_path / LAYERS / MANIFEST).read_text()))
    at = done.index(f"rename {MANIFEST}")
    assert len(named) == 30
    assert named <= {Path(name).name for name in done[:at]}


KILLED = """
import sys, numpy as np, trulysparse as ts
from pathlib import Path
from trulysparse.io.checkpoint_folder import LAYERS
from trulysparse.training.callbacks.checkpointer import Checkpointer
folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
net = ts.SparseMLP((20, 3000, 3), epsilon=2, storage="compact", seed=1, folder=folder / LAYERS)
trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, seed=2)
print("go", flush=True)
trainer.fit(rng.normal(size=(70, 20)), rng.integers(0, 3, 70), epochs=10**6, callbacks=[Checkpointer(folder, every=1)])
"""


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_a_killed_training_leaves_layers_to_go_on_from(tmp_path, seconds):
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"go\n"
    for _ in range(1000):
        if committed(tmp_path / LAYERS):
            break
        time.sleep(0.01)
    time.sleep(seconds)
    child.kill()
    child.wait()
    child.stdout.close()
    net, optimizer_state, _ = open_network(tmp_path, None)
    rng = np.random.default_rng(0)
    trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, seed=2, optimizer_state=optimizer_state)
    trainer.fit(
        rng.normal(size=(70, 20)), rng.integers(0, 3, 70), epochs=1, callbacks=[Checkpointer(tmp_path, every=1)]
    )
    assert len(files_of(tmp_path / LAYERS)) == 2 * 10  # nothing is left of the kill
