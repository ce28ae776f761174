"""The phases of a training and its callbacks."""

from __future__ import annotations

import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    trainer_for,
)


def test_training_with_phase_2_only_learns():
    X, y = problem()
    trainer = trainer_for(ts.WASAP(3, phase1_epochs=0), evolution=ts.RigL(every=5))
    history = trainer.fit(X, y, epochs=8)
    assert history["phase"] == [2]
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.9


class _Stop(ts.Callback):
    def on_epoch_end(self, trainer, record):
        trainer.stop = record["epoch"] == 2


def test_callback_that_sets_stop_ends_training():
    X, y = problem()
    history = trainer_for(ts.WASAP(2)).fit(X, y, epochs=20, callbacks=[_Stop()])
    assert history["epoch"] == [1, 2]


def test_early_stopping_restores_the_best_epoch():
    X, y = problem()
    trainer = trainer_for(ts.WASAP(2), optimizer=ts.SGD(0.02, 0.9))
    stopping = ts.EarlyStopping("val_loss", patience=3)
    history = trainer.fit(X, y, epochs=10, validation_data=(X, y), callbacks=[stopping])
    loss = ts.evaluate(trainer.net, X, y)["loss"]
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-6)


class _EvolutionWatch(ts.Callback):
    def on_fit_start(self, trainer, epochs, steps):
        self.new_connections = []

    def on_evolution(self, trainer, n_new):
        self.new_connections.append(n_new)


def test_on_evolution_is_called_after_each_evolution():
    X, y = problem()
    watch = _EvolutionWatch()
    trainer_for(ts.WASAP(2), evolution=ts.SET(0.3)).fit(X, y, epochs=10, callbacks=[watch])
    assert len(watch.new_connections) == 6  # after each epoch of phase 1 except the last
    assert min(watch.new_connections) > 0


def test_importance_pruning_removes_neurons_while_workers_train():
    X, y = problem(2000)
    trainer = trainer_for(ts.WASAP(3), evolution=ts.SET(0.3), dtype="float32")
    sizes = trainer.net.layer_sizes
    history = trainer.fit(X, y, epochs=6, callbacks=[ts.ImportancePruning(30, start=1, every=1, stop=3)])
    assert all(a < b for a, b in zip(trainer.net.layer_sizes[1:-1], sizes[1:-1], strict=True))
    assert history.records[-1]["connections"] == trainer.net.n_connections
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95
