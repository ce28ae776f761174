"""A Trainer's state in a file: training goes on with the same bits."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.unsupervised._trainer_state import restore_trainer, trainer_arrays, trainer_settings


def trained(X, optimizer, n=20):
    net = ts.SparseMLP((n, 30, 3), epsilon=3, seed=0, threads=1)
    trainer = ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(), batch_size=16, dropout=0.2, seed=5)
    trainer.fit(X, np.arange(len(X)) % 3, epochs=2)
    return trainer


@pytest.mark.parametrize("optimizer", [ts.Adam(0.01), ts.SGD(0.1, momentum=0.9), ts.SGD(0.1, momentum=0.0)])
def test_training_goes_on_with_the_same_bits(rng, tmp_path, optimizer):
    X = rng.normal(size=(64, 20))
    first = trained(X, optimizer)
    arrays = {name: array.copy() for name, array in trainer_arrays(first).items()}
    settings = json.loads(json.dumps(trainer_settings(first)))
    ts.save(first.net, tmp_path / "net")
    second = ts.Trainer(
        ts.load(tmp_path / "net", threads=1),
        optimizer=optimizer,
        evolution=ts.SET(),
        batch_size=16,
        dropout=0.2,
        seed=settings["seed"],
    )
    restore_trainer(second, arrays, settings)
    for trainer in (first, second):
        trainer.fit(X, np.arange(64) % 3, epochs=2)
    np.testing.assert_array_equal(first.net.predict_proba(X), second.net.predict_proba(X))


def test_what_does_not_fit_is_refused(rng):
    X = rng.normal(size=(64, 20))
    trainer = trained(X, ts.Adam(0.01))
    arrays, settings = trainer_arrays(trainer), trainer_settings(trainer)
    with pytest.raises(ts.InputError, match=r"optimizer\.0\.weight1 must be float32 of shape"):
        restore_trainer(trainer, {name: each for name, each in arrays.items() if "weight1" not in name}, settings)
    with pytest.raises(ts.InputError, match=r"optimizer\.1\.bias0 must be float32 of shape \(3,\)"):
        restore_trainer(trainer, arrays | {"optimizer.1.bias0": np.zeros(3)}, settings)
    for wrong in ({"steps": -1}, {"state_updates": 10**6}):
        with pytest.raises(ts.InputError, match=f"{next(iter(wrong))} must be"):
            restore_trainer(trainer, arrays, settings | wrong)
