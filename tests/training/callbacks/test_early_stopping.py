"""Early stopping: when it ends training, and what it restores."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts


def network(storage, tmp_path, output="softmax"):
    """A small network of a storage form."""
    if storage == "indexed":
        return ts.SparseMLP((5, 20, 10, 3), epsilon=4, seed=0, output=output)
    folder = tmp_path / "layers" if storage == "folder" else None
    kind = "bfloat16" if storage == "bfloat16" else "float32"
    return ts.SparseMLP(
        (5, 20, 10, 3), epsilon=4, storage="compact", weights=kind, signals=kind, folder=folder, seed=0, output=output
    )


def test_early_stopping_restores_the_best_epoch(rng):
    X, y = rng.standard_normal((80, 20)), rng.integers(0, 4, 80)  # nothing to learn: validation gets worse
    net = ts.SparseMLP((20, 100, 100, 4), epsilon=30)
    stopping = ts.EarlyStopping(patience=3)
    validation = (rng.standard_normal((80, 20)), rng.integers(0, 4, 80))
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET())
    history = trainer.fit(X, y, epochs=100, validation_data=validation, callbacks=[stopping])
    assert len(history) == stopping.best_epoch + 3 < 100
    assert ts.evaluate(net, *validation)["loss"] == pytest.approx(min(history["val_loss"]))
    trainer.step(X, y)  # the optimizer's state fits the restored connectivity
    with pytest.raises(ts.InputError, match="monitors 'val_loss'"):
        trainer.fit(X, y, epochs=2, callbacks=[ts.EarlyStopping()])


@pytest.mark.parametrize("storage", ["indexed", "compact", "bfloat16", "folder"])
def test_early_stopping_works_with_every_storage(rng, tmp_path, storage):
    trainer = ts.Trainer(network(storage, tmp_path), batch_size=8)
    stopping = ts.EarlyStopping("loss", mode="max", patience=2)
    history = trainer.fit(rng.normal(size=(60, 5)), rng.integers(0, 3, 60), epochs=9, callbacks=[stopping])
    assert len(history) == 3
    trainer.step(rng.normal(size=(60, 5)), rng.integers(0, 3, 60))


def test_fit_after_restoring_begins_adam_anew(rng):
    """The next fit gives the bits of a new trainer of the restored network."""
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    trainer = ts.Trainer(ts.SparseMLP((5, 20, 3), epsilon=4, seed=0), optimizer=ts.Adam(0.01), batch_size=16, seed=1)
    trainer.fit(X, y, epochs=6, callbacks=[ts.EarlyStopping("loss", mode="max", patience=2)])
    assert trainer.state_updates == 0 < trainer.step_count
    fresh = ts.Trainer(trainer.net.copy(), optimizer=trainer.optimizer, batch_size=16, seed=1)
    for _ in range(3):
        assert trainer.step(X, y) == fresh.step(X, y)
    for a, b in zip(trainer.net.layers, fresh.net.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
