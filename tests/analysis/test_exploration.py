"""The exploration rate against sets of coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network, patterns
from trulysparse import analysis
from trulysparse.analysis import exploration


def test_exploration_in_training_equals_naive_sets():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((64, 8)), random.integers(0, 3, 64)
    net = network(1.0)
    explored = [set(map(tuple, np.argwhere(p))) for p in patterns(net)[:-1]]

    class Naive(ts.Callback):
        def on_evolution(self, trainer, grown):
            for coordinates, pattern in zip(explored, patterns(trainer.net), strict=False):
                coordinates |= set(map(tuple, np.argwhere(pattern)))

    callback = analysis.Exploration()
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.SET(0.5), batch_size=16)
    history = trainer.fit(X, y, epochs=4, callbacks=[Naive(), callback])
    expected = sum(map(len, explored)) / (8 * 10 + 10 * 9)
    assert history.records[-1]["exploration"] == callback.rate == pytest.approx(expected)


def test_exploration_layer_too_large_for_a_map_gives_the_same(monkeypatch):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((64, 8)), random.integers(0, 3, 64)
    rates = []
    for size in (1 << 26, 0):
        monkeypatch.setattr(exploration, "MAX_MAP_SIZE", size)
        watch = analysis.Exploration()
        ts.Trainer(network(1.0), evolution=ts.SET()).fit(X, y, epochs=5, callbacks=[watch])
        rates.append(watch.rate)
    assert rates[0] == rates[1]
