"""Sizes of layers, epoch by epoch."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts


@pytest.fixture
def samples(rng):
    return rng.standard_normal((64, 20)), rng.integers(0, 3, 64)


def test_sizes_follow_pruning(samples):
    net = ts.SparseMLP((20, 50, 40, 3), epsilon=4, seed=0)
    callbacks = [ts.ImportancePruning(start=1, every=1, percentile=10), ts.LayerSizes()]
    records = ts.Trainer(net, batch_size=16, callbacks=callbacks).fit(*samples, epochs=4).records
    assert records[-1]["neurons_per_layer"] == list(net.layer_sizes[1:])
    assert records[-1]["connections_per_layer"] == [layer.n_connections for layer in net.layers]
    assert records[0]["neurons_per_layer"][0] > records[-1]["neurons_per_layer"][0]
    json.dumps(records)


@pytest.mark.parametrize("parallel", [ts.WASAP(workers=2), ts.WASSP(workers=2)])
def test_sizes_in_parallel_training(samples, parallel):
    net = ts.SparseMLP((20, 50, 3), epsilon=4, seed=0)
    trainer = ts.Trainer(net, batch_size=16, evolution=ts.SET(), parallel=parallel, callbacks=[ts.LayerSizes()])
    records = trainer.fit(*samples, epochs=3).records
    assert [np.sum(record["connections_per_layer"]) for record in records if "connections_per_layer" in record] == [
        record["connections"] for record in records if "connections_per_layer" in record
    ]
    assert "neurons_per_layer" in records[0]


def test_sizes_of_a_compact_network(samples):
    net = ts.SparseMLP((20, 50, 3), epsilon=4, seed=0, storage="compact")
    [record] = ts.Trainer(net, batch_size=16, callbacks=[ts.LayerSizes()]).fit(*samples, epochs=1)
    assert record["neurons_per_layer"] == [50, 3]
