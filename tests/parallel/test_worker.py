"""Workers: gradients of the model they are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    problem,
    shards_of,
    trainer_for,
)
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.parallel import Half, TopK
from trulysparse.parallel.worker import train_phase2, worker_options
from trulysparse.training.fit_data import FitData


@pytest.mark.parametrize("compression", [Half(), TopK(0.1)])
def test_compressed_gradients_reach_the_same_accuracy(compression):
    X, y = problem(1000)
    plain = trainer_for(ts.WASAP(2, phase2_epochs=0)).fit(X, y, epochs=1)
    trainer = trainer_for(ts.WASAP(2, phase2_epochs=0, compression=compression), evolution=ts.SET(0.2))
    history = trainer.fit(X, y, epochs=6, callbacks=[ts.ImportancePruning(10, start=2, every=10)])
    assert ts.evaluate(trainer.net, X, y)["accuracy"] > 0.95
    assert history["gradient_mb"][0] < 0.4 * plain["gradient_mb"][0]


def test_gradients_of_read_only_weights_are_the_same(rng):
    net = ts.SparseMLP((10, 8, 3), epsilon=2)
    layer = net.layers[1]
    frozen = IndexedLayer(layer.connectivity, layer.values.copy(), layer.bias.copy(), layer.activation)
    frozen.values.flags.writeable = frozen.bias.flags.writeable = False
    X, y = rng.standard_normal((6, 10)), rng.integers(0, 3, 6)
    expected = ts.Trainer(net).gradients(X, y)
    gradients = ts.Trainer(net.with_layers([net.layers[0], frozen])).gradients(X, y)
    assert expected[0] == gradients[0]
    for (a, b), (c, d) in zip(expected[1], gradients[1], strict=True):
        np.testing.assert_array_equal(a.toarray(), c.toarray())
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize(("count", "expected"), [(1, [0, 12, 24]), (2, [0]), (3, [0]), (4, [])])
def test_alone_the_topology_evolves_where_as_many_updates_follow_as_a_pass_over_all_samples_has(count, expected):
    """12 batches in all, epochs 7 to 10: alone a worker makes 36 / count updates."""
    X, y = problem(12 * 32)
    trainer = trainer_for(evolution=ts.SET(0.3))
    options = worker_options(trainer, ts.WASAP(count))
    evolved, updates = [], []

    def watched(view):
        if view.layer is trainer.net.layers[0]:
            evolved.append(len(updates))
        return ts.evolution.prune.magnitude(view)

    options = replace(
        options, evolution=ts.Evolution(watched, ts.evolution.grow.uniform, ts.Schedule(0.3, every_epochs=1))
    )
    data = FitData.checked(trainer.net, trainer.loss, X, y, epochs=10)
    shard = shards_of(len(X), count)[0]
    train_phase2(trainer.net, data, shard, (7, 10), options, updates.append, 12)
    assert len(updates) == 36 // count
    assert evolved == expected
