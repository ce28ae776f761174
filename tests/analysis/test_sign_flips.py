"""Sign flips against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis


def samples():
    random = np.random.default_rng(0)
    return random.standard_normal((64, 8)), random.integers(0, 3, 64)


class Naive(ts.Callback):
    """The same in dense matrices."""

    def __init__(self):
        self.shares = []

    def on_fit_start(self, trainer, epochs, steps):
        self.last = self.now(trainer.net)

    def now(self, net):
        return [(pattern, layer.weight.toarray() < 0) for pattern, layer in zip(patterns(net), net.layers, strict=True)]

    def on_epoch_end(self, trainer, record):
        now, flips, compared = self.now(trainer.net), 0, 0
        for (old, was), (new, negative) in zip(self.last, now, strict=True):
            flips += int((old & new & (was != negative)).sum())
            compared += int((old & new).sum())
        self.shares.append(flips / compared)
        self.last = now


@pytest.mark.parametrize("evolution", [None, ts.SET(0.4)])
def test_sign_flips_equal_those_of_dense_matrices(evolution):
    naive = Naive()
    trainer = ts.Trainer(network(2.0), optimizer=ts.SGD(0.5), evolution=evolution, batch_size=16)
    history = trainer.fit(*samples(), epochs=5, callbacks=[naive, analysis.SignFlips()])
    assert history["sign_flips"] == pytest.approx(naive.shares)
    assert max(naive.shares) > 0


@pytest.mark.parametrize("skip", [False, True])
def test_sign_flips_go_on_after_a_break(tmp_path, skip):
    def network():
        return ts.SparseMLP((8, 12, 10, 3), epsilon=2, skip=skip, seed=0)

    options = {"optimizer": ts.SGD(0.5), "evolution": ts.SET(0.4), "batch_size": 16}
    whole = ts.Trainer(network(), **options).fit(*samples(), epochs=4, callbacks=[analysis.SignFlips()])

    class Break(ts.Callback):
        def on_step_end(self, trainer, loss):
            if trainer.step_count == 10:
                raise KeyboardInterrupt

    keeper = ts.Checkpointer(tmp_path, every=1)
    with pytest.raises(KeyboardInterrupt):
        ts.Trainer(network(), **options).fit(*samples(), epochs=4, callbacks=[analysis.SignFlips(), keeper, Break()])
    later = ts.Trainer(network(), **options).fit(
        *samples(), epochs=4, callbacks=[analysis.SignFlips()], resume=tmp_path
    )
    assert later.records[-1]["sign_flips"] == whole.records[-1]["sign_flips"]
    assert later.records[-2]["sign_flips"] == whole.records[-2]["sign_flips"]


def test_sign_flips_start_again_where_neurons_are_removed():
    pruning = ts.ImportancePruning(30, start=2, every=5)
    trainer = ts.Trainer(network(2.0), optimizer=ts.SGD(0.5), batch_size=16)
    shares = trainer.fit(*samples(), epochs=4, callbacks=[pruning, analysis.SignFlips()])["sign_flips"]
    assert shares[1] == 0
    assert shares[2] > 0


def test_a_damaged_state_is_refused():
    flips, trainer = analysis.SignFlips(), ts.Trainer(network(2.0))
    flips.on_fit_start(trainer, 1, 1)
    state = flips.state()
    state["0.negative"] = state["0.negative"][:-1]
    with pytest.raises(ts.InputError, match="they are of other layers"):
        flips.load_state(trainer, state)


def test_sign_flips_need_the_index():
    trainer = ts.Trainer(network(3.0, storage="compact"), batch_size=16)
    with pytest.raises(ts.InputError, match="SignFlips needs a network with storage='indexed'"):
        trainer.fit(*samples(), epochs=1, callbacks=[analysis.SignFlips()])
