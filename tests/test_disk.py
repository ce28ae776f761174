"""Layers in memory-mapped files: the same bits as in memory, and the end of the last step after any break."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.disk import MANIFEST, ArrayFolder
from trulysparse.training.checkpointer import LAYERS, Checkpointer, open_network
from trulysparse.training.position import Position

SIZES = (20, 3000, 2000, 3)


class Stop(Exception):
    pass


class Break(ts.Callback):
    """Breaks off at the n-th call of one hook."""

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


def trainer_for(net, slots=None) -> ts.Trainer:
    return ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.SET(), batch_size=16, dropout=0.1, seed=2, slots=slots)


@pytest.fixture
def samples(rng):
    return rng.normal(size=(70, 20)), rng.integers(0, 3, 70)


def parameters(net, trainer) -> list[np.ndarray]:
    found = [a for x in net.layers for a in (x.values, x.bias, x.connectivity.place, x.connectivity.ptr)]
    return found + [a for slots in trainer.slots for a in slots.weight + slots.bias]


def test_same_bits_as_in_memory(samples, tmp_path):
    trainers = [trainer_for(make(folder)) for folder in (None, tmp_path / "layers")]
    for trainer in trainers:
        trainer.fit(*samples, epochs=4)
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
def test_goes_on_after_a_break(samples, tmp_path, hook, n, before):
    """The break comes before or after what is in force has been committed."""
    unbroken = trainer_for(make())
    unbroken.fit(*samples, epochs=4)
    first = trainer_for(make(tmp_path / LAYERS))
    callbacks = [Break(hook, n), Checkpointer(tmp_path, every=1)]
    with pytest.raises(Stop):
        first.fit(*samples, epochs=4, callbacks=callbacks if before else callbacks[::-1])
    if not before:
        first.step(*samples)  # the beginning of the next update, which a kill may find at any place
    net, slots, state = open_network(tmp_path, None)
    second = trainer_for(net, slots)
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
