"""A Trainer's epochs as progress."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.unsupervised._epochs import EpochProgress


def test_epochs_are_counted_to_the_end(rng):
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 2
    calls = []
    trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), evolution=ts.SET(), batch_size=10)
    for epochs in (3, 2):
        calls.clear()
        trainer.fit(X, y, epochs=epochs, callbacks=[EpochProgress(lambda *call: calls.append(call), "pre-training")])
        own = [call for call in calls if call[0] == "pre-training"]
        assert own[0] == ("pre-training", 0, epochs)
        assert own[-1] == ("pre-training", epochs, epochs)
        assert [done for _, done, _ in own] == sorted(done for _, done, _ in own)
        assert sum(done == epochs for _, done, _ in own) == 1
        assert 0.2 in [done for _, done, _ in own]  # one of five updates
        assert {what for what, _, _ in calls} == {"pre-training", "evolving"}


def test_a_long_training_is_told_a_hundred_times(rng):
    calls = []
    trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), batch_size=1)
    trainer.fit(
        rng.normal(size=(500, 4)),
        np.arange(500) % 2,
        epochs=1,
        callbacks=[EpochProgress(lambda *call: calls.append(call))],
    )
    assert 100 <= len(calls) <= 102


def test_a_training_that_stops_is_done(rng):
    class Stop(ts.Callback):
        def on_epoch_end(self, trainer, record):
            trainer.stop = True

    calls = []
    trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), batch_size=10)
    told = EpochProgress(lambda *call: calls.append(call))
    trainer.fit(rng.normal(size=(50, 4)), np.arange(50) % 2, epochs=9, callbacks=[Stop(), told])
    assert calls[-1] == ("training", 9, 9)
