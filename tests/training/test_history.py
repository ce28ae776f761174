"""Records of a training by epoch and by figure."""

from __future__ import annotations

import pytest

import trulysparse as ts


def test_history_gives_columns_records_and_length():
    records = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    history = ts.History(records)
    assert history["loss"] == [0.5, 0.25]
    assert list(history) == records
    assert len(history) == 2


def test_history_of_an_unknown_figure_is_a_key_error():
    with pytest.raises(KeyError, match="val_loss"):
        ts.History([{"epoch": 1}])["val_loss"]


def test_histories_do_not_share_records():
    ts.History().records.append({"epoch": 1})
    assert len(ts.History()) == 0


def test_history_of_a_fit_has_one_record_per_epoch(rng):
    trainer = ts.Trainer(ts.SparseMLP((5, 8, 3)), optimizer=ts.SGD(ts.StepRate(0.1, every=2)), batch_size=8)
    X, y = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)
    history = trainer.fit(X, y, epochs=4, validation_data=(X, y))
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert history["connections"] == [trainer.net.n_connections] * 4
    scores = ts.evaluate(trainer.net, X, y)
    assert (history["val_loss"][-1], history["val_accuracy"][-1]) == (scores["loss"], scores["accuracy"])
    assert all(seconds > 0 for seconds in history["seconds"])
