"""Parallel trainings that are broken off and go on."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import problem, trainer_for
from trulysparse.analysis import Exploration
from trulysparse.io.checkpoint_folder import states
from trulysparse.parallel import TopK
from trulysparse.parallel.progress import WorkerFiles
from trulysparse.training.loop import TrainingLoop


class Break(ts.Callback):
    """Ends training in the course of the `after`-th batch from here."""

    def __init__(self, after):
        self.left = after
        self.lock = threading.Lock()

    def on_worker_step(self, trainer, worker, loss):
        with self.lock:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


X, Y = problem(230)
DATA = dict(epochs=6, validation_data=problem(60, seed=1))


def same_bits(a, b):
    for x, y in zip(a.layers, b.layers, strict=True):
        np.testing.assert_array_equal(x.connectivity.by_input.index, y.connectivity.by_input.index)
        np.testing.assert_array_equal(x.values, y.values)
        np.testing.assert_array_equal(x.bias, y.bias)


def without_times(history):
    return [{k: v for k, v in r.items() if k not in ("seconds", "samples_per_second")} for r in history.records]


def trainer_of(config, folder=None, seed=0, steps=0):
    trainer = trainer_for(config, evolution=ts.SET(0.3), dropout=0.1, optimizer=ts.Adam(0.01), seed=seed)
    for _ in range(steps):  # a later call of fit takes other random numbers than the first
        trainer.step(X[:32], Y[:32])
    return trainer


CONFIGS = {
    "both phases": ts.WASSP(2, warmup_epochs=2),
    "more shards than workers": ts.WASSP(2, shards=3, phase1_epochs=3),
    "top k": ts.WASSP(2, compression=TopK(0.2)),
    "top k of three shards": ts.WASSP(2, shards=3, compression=TopK(0.2), phase2_epochs=0),
    "rounds": ts.WASSP(2, rounds=2),
    "phase 2 alone": ts.WASSP(2, phase1_epochs=0),
    "one worker": ts.WASSP(1),
}


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_broken_off_synchronous_training_goes_on_with_the_same_bits(tmp_path, config, steps):
    """Broken off again and again, after other numbers of batches, with callbacks that have a state."""

    def callbacks():
        return [ts.ImportancePruning(5, start=2, every=2), ts.EarlyStopping("val_loss", patience=5), Exploration()]

    unbroken = trainer_of(config, steps=steps)
    wanted = unbroken.fit(X, Y, callbacks=callbacks(), **DATA)
    resume, breaks = None, 0
    for after in (5, 11, 9, 14, 12, 10, 17, 13, 19, 22, 100):
        trainer = trainer_of(config, steps=steps if resume is None else 0, seed=0)
        try:
            keeper = ts.Checkpointer(tmp_path)
            history = trainer.fit(X, Y, callbacks=[*callbacks(), keeper, Break(after)], resume=resume, **DATA)
            break
        except KeyboardInterrupt:
            breaks += 1
            resume = tmp_path if states(tmp_path) else None
    assert breaks >= 3
    assert without_times(history) == without_times(wanted)
    assert trainer.step_count == unbroken.step_count
    same_bits(trainer.net, unbroken.net)
    assert not (tmp_path / "workers").exists()


@pytest.mark.parametrize("options", [{}, {"staleness": "divide"}, {"compression": TopK(0.2)}, {"rounds": 2}])
def test_broken_off_asynchronous_training_counts_all_samples(tmp_path, options):
    config = ts.WASAP(3, **options)
    resume = None
    for after in (15, 20, 13, 17, 1000):
        trainer = trainer_of(config)
        try:
            callbacks = [ts.Checkpointer(tmp_path), Break(after)]
            history = trainer.fit(X, Y, callbacks=callbacks, resume=resume, **DATA)
            break
        except KeyboardInterrupt:
            resume = tmp_path if states(tmp_path) else None
    assert resume is not None
    assert sum(record["samples"] for record in history.records) == 230 * 6
    assert history.records[-1]["epoch"] == 6
    assert trainer.step_count == 8 * 6  # batches of all shards
    assert ts.evaluate(trainer.net, X, Y)["accuracy"] > 0.9


def test_training_stopped_early_is_not_gone_on_with(tmp_path):
    class Stop(ts.Callback):
        def on_epoch_end(self, trainer, record):
            trainer.stop = record["epoch"] == 2

    config = ts.WASSP(2)
    trainer_of(config).fit(X, Y, callbacks=[Stop(), ts.Checkpointer(tmp_path)], **DATA)
    assert len(trainer_of(config).fit(X, Y, resume=tmp_path, **DATA)) == 2


def test_checkpoints_of_other_trainings_are_refused_before_anything_changes(tmp_path):
    trainer_of(ts.WASSP(2)).fit(X, Y, callbacks=[ts.Checkpointer(tmp_path / "two")], **DATA)
    trainer_of(None).fit(X, Y, callbacks=[ts.Checkpointer(tmp_path / "alone")], **DATA)
    for config, folder, message in (
        (None, "two", "was written by parallel training"),
        (ts.WASSP(2), "alone", "was not written by parallel training"),
        (ts.WASSP(3), "two", "one of WASSP with 2 shards, not of WASSP with 3"),
        (ts.WASAP(2), "two", "one of WASSP with 2 shards, not of WASAP with 2"),
    ):
        trainer = trainer_of(config, seed=5)
        before = [layer.values.copy() for layer in trainer.net.layers]
        with pytest.raises(ts.InputError, match=message):
            trainer.fit(X, Y, resume=tmp_path / folder, **DATA)
        for layer, values in zip(trainer.net.layers, before, strict=True):
            np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("damage", ["other key", "cut", "missing", None])
def test_worker_files_that_are_of_no_use_are_passed_over(tmp_path, damage):
    def loop(seed):
        own = trainer_for(seed=seed)
        return TrainingLoop.with_options(own.net, own.options, threads=1)

    first, second = loop(0), loop(1)
    first.step_count = 7
    files = WorkerFiles(tmp_path / "workers", [1, 2])
    files.save(0, first, {"epoch": 4, "loss": 0.5})
    file = tmp_path / "workers" / "worker-0000.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "missing":
        file.unlink()
    elif damage == "other key":
        files = WorkerFiles(tmp_path / "workers", [1, 3])
    found = files.load(0, second)
    if damage is None:
        assert found == {"epoch": 4, "loss": 0.5}
        assert second.step_count == 7
        same_bits(first.net, second.net)
    else:
        assert found is None
        assert second.step_count == 0
        same_bits(second.net, loop(1).net)
    files.clear()
    assert not (tmp_path / "workers").exists()
