"""What loggers are given, by a logger that keeps it."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.training.callbacks.logger import Logger, numbers


class Keep(Logger):
    def __init__(self):
        self.opened, self.figures, self.closed = [], {}, 0

    def open(self, parameters, first_step, resumed):
        self.opened.append((parameters, first_step, resumed))

    def write(self, figures, step):
        assert step not in self.figures
        self.figures[step] = figures

    def close(self):
        self.closed += 1


@pytest.fixture
def samples(rng):
    X = rng.standard_normal((64, 4))
    return X, (X[:, 0] > 0).astype(int)


def trainer(**settings):
    net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
    return ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET(), batch_size=16, seed=3, **settings)


def test_every_number_of_the_record_is_sent(samples):
    keep = Keep()
    history = trainer().fit(*samples, epochs=3, validation_data=samples, callbacks=[keep])
    assert list(keep.figures) == [1, 2, 3]
    for step, record in enumerate(history, start=1):
        sent = dict(keep.figures[step])
        assert sent.pop("samples_per_second") == pytest.approx(64 / record["seconds"])
        assert sent.pop("neurons") == 10
        assert {"epoch": step, **sent} == record
    (parameters, first, resumed), closed = keep.opened[0], keep.closed
    assert (first, resumed, closed) == (1, False, 1)
    assert parameters["layers"] == "4-8-2"
    assert parameters["samples"] == "64"
    assert parameters["batch_size"] == "16"
    assert "SET(" in parameters["evolution"]
    assert "Adam(" in parameters["optimizer"]


def test_a_further_fit_goes_on_after_the_last_step(samples):
    keep, train = Keep(), trainer()
    train.fit(*samples, epochs=2, callbacks=[keep])
    train.fit(*samples, epochs=2, callbacks=[keep])
    assert list(keep.figures) == [1, 2, 3, 4]
    assert [first for _, first, _ in keep.opened] == [1, 3]


def test_a_resumed_training_goes_on_at_its_step(samples, tmp_path):
    class BreakOff(ts.Callback):
        def on_step_end(self, trainer, loss):
            if trainer.step_count == 10:
                raise KeyboardInterrupt

    first, second = Keep(), Keep()
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(*samples, epochs=4, callbacks=[first, ts.Checkpointer(tmp_path, every=1), BreakOff()])
    assert (list(first.figures), first.closed) == ([1, 2], 1)
    trainer().fit(*samples, epochs=4, callbacks=[second], resume=tmp_path)
    assert list(second.figures) == [3, 4]
    assert second.opened[0][1:] == (3, True)


@pytest.mark.parametrize("parallel", [ts.WASAP(2), ts.WASSP(2)])
def test_workers_records_are_sent(samples, parallel):
    keep = Keep()
    history = trainer(parallel=parallel).fit(*samples, epochs=4, callbacks=[keep])
    assert list(keep.figures) == history["epoch"]
    assert keep.figures[4]["samples_per_second"] == history["samples_per_second"][-1]


def test_numbers():
    record = {"epoch": 1, "loss": np.float32(0.5), "phase": "a", "on": True, "deep": [1, "x", 2.5], "a": np.arange(2)}
    wanted = {"epoch": 1, "loss": 0.5, "on": 1, "deep/1": 1, "deep/3": 2.5, "a/1": 0, "a/2": 1}
    assert numbers(record) == wanted
