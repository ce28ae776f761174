"""The epoch loop without a Trainer, and going on where a run was broken off."""

from __future__ import annotations

import pytest

import trulysparse as ts
from training_helpers import network, same, samples
from trulysparse.training.fit_data import FitData
from trulysparse.training.loop import TrainingLoop
from trulysparse.training.step import TrainingStep


@pytest.mark.parametrize("evolution", [None, ts.SET(0.3), ts.RigL(0.3, every=3)])
def test_a_loop_is_a_trainers_fit(evolution):
    X, y = samples()
    net = network()
    loop = TrainingLoop(TrainingStep(net, ts.Adam(0.01), seed=5, dropout=0.2), evolution=evolution, batch_size=16)
    loss = ts.SoftmaxCrossEntropy()
    data = FitData.checked(net, loss, X, y, epochs=3)
    history = loop.run(data)
    trainer = ts.Trainer(network(), optimizer=ts.Adam(0.01), evolution=evolution, batch_size=16, dropout=0.2, seed=5)
    found = trainer.fit(X, y, epochs=3)
    assert history["loss"] == found["loss"]
    same(net, trainer.net)
    assert (loop.step_count, loop.epoch, loop.training_progress, loop.epochs) == (trainer.step_count, 3.0, 0.0, None)


def test_an_epoch_takes_each_sample_once():
    X, y = samples(50)
    seen = []

    class Watch(FitData):
        def batch(self, rows, reader):
            seen.extend(rows)
            return super().batch(rows, reader)

    net = network()
    loop = TrainingLoop(TrainingStep(net, ts.SGD()), batch_size=16)
    record = loop.run_epoch(Watch.checked(net, loop.loss, X, y, epochs=1), 1)
    assert sorted(seen) == list(range(50))
    assert seen != list(range(50))
    assert record["epoch"] == 1


def trainer_for(net):
    return ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET(0.3), batch_size=16, dropout=0.1, seed=2)


def test_evolution_can_be_exchanged_between_fits():
    trainer = trainer_for(network())
    X, y = samples()
    trainer.fit(X, y, epochs=2)
    trainer.evolution = None
    before = [layer.connectivity for layer in trainer.net.layers]
    trainer.fit(X, y, epochs=2)
    assert all(layer.connectivity is con for layer, con in zip(trainer.net.layers, before, strict=True))
    with pytest.raises(ts.InputError, match="evolution must be given"):
        trainer.evolve()
    trainer.evolution = ts.SET(0.3)
    assert trainer.evolve() > 0
