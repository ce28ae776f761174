"""fit_side_by_side: the members of an ensemble."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.training.side_by_side import fit_side_by_side, mean_history


def made(count=3, threads=2):
    networks = [ts.SparseMLP((6, 20, 2), epsilon=4, seed=seed, threads=threads) for seed in range(count)]
    return [
        ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET(), batch_size=16, dropout=0.2, seed=net.seed)
        for net in networks
    ]


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 6))
    return X, (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_is_trained_as_it_would_be_alone_whatever_the_threads(data, threads):
    together, alone = made(), made()
    histories = fit_side_by_side(together, *data, epochs=4, threads=threads, validation_data=data)
    for one, other, history in zip(together, alone, histories, strict=True):
        wanted = other.fit(*data, epochs=4, validation_data=data)
        assert history["val_loss"] == wanted["val_loss"]
        assert one.net.threads == one.threads == 2
        for a, b in zip(one.net.layers, other.net.layers, strict=True):
            np.testing.assert_array_equal(a.weight.toarray(), b.weight.toarray())


def test_callbacks_are_of_each(data):
    trainers = made(2)
    stop = ts.EarlyStopping("val_loss", patience=1)
    histories = fit_side_by_side(trainers, *data, epochs=50, callbacks=[[stop], []], validation_data=data)
    assert len(histories[0]) <= len(histories[1]) == 50


def test_wrong_trainers_are_refused(data):
    trainers = made(1)
    for wrong in ([], [trainers[0], trainers[0]]):
        with pytest.raises(ts.InputError, match="each with a network of its own"):
            fit_side_by_side(wrong, *data, epochs=1)
    with pytest.raises(ts.InputError, match="callbacks must have one entry for each of 1 trainers, not 2"):
        fit_side_by_side(trainers, *data, epochs=1, callbacks=[[], []])


def test_failure_of_one_is_raised(data):
    trainers = made(2)
    trainers[1].net.layers[0].values[:] = np.nan
    with pytest.raises(ts.DivergenceError):
        fit_side_by_side(trainers, *data, epochs=2)
    assert trainers[0].threads == 2


def test_mean_history_is_of_those_that_have_seen_an_epoch():
    a = ts.History([{"epoch": 1, "loss": 1.0, "sizes": [2, 4]}, {"epoch": 2, "loss": 3.0, "sizes": [2, 4]}])
    b = ts.History([{"epoch": 1, "loss": 2.0, "sizes": [4, 4]}])
    assert mean_history([b, a]).records == [
        {"epoch": 1, "loss": 1.5, "sizes": [3.0, 4.0]},
        {"epoch": 2, "loss": 3.0, "sizes": [2.0, 4.0]},
    ]


def test_means_of_figures_that_have_gaps_or_another_form():
    a, b = (
        ts.History([{"epoch": 1, "none": None, "gap": gap, "inner": [1.0, None], "form": form, "list": [1.0, 2.0]}])
        for gap, form in ((None, [1.0]), (3.0, [1.0, 2.0]))
    )
    (record,) = mean_history([a, b]).records
    assert record == {"epoch": 1, "none": None, "gap": 3.0, "inner": [1.0, None], "form": [1.0], "list": [1.0, 2.0]}
