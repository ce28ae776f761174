"""What TopologyRecorder writes, against the network and the trainer."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network
from trulysparse import analysis


def recorded(epochs=4, **settings):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((64, 8)), random.integers(0, 3, 64)
    recorder = analysis.TopologyRecorder(X=X, y=y, **settings)
    trainer = ts.Trainer(network(1.0), optimizer=ts.SGD(0.05), evolution=ts.SET(0.5), batch_size=16)
    return trainer, trainer.fit(X, y, epochs=epochs, callbacks=[recorder]).records, (X, y)


def test_recorder_last_record_equals_the_network():
    trainer, records, batch = recorded()
    net, last = trainer.net, records[-1]
    assert last["density"] == [layer.connectivity.density for layer in net.layers]
    assert last["spectral_norm"] == [analysis.spectral_norm(layer) for layer in net.layers]
    assert last["dead"] == [*(int(mask.sum()) for mask in analysis.dead_neurons(net)), None]
    assert last["log10_paths"] == analysis.effective_paths(net).total
    assert last["effective"] == analysis.effective_connections(net).share
    _, gradients = trainer.gradients(*batch)
    np.testing.assert_allclose(last["gradient_norm"], [np.linalg.norm(w.toarray()) for w, _ in gradients], rtol=1e-6)


def test_recorder_every_second_epoch_writes_exploration_in_each():
    _, records, _ = recorded(every=2)
    assert ["density" in record for record in records] == [False, True, False, True]
    assert all("exploration" in record for record in records)


def test_recorder_half_a_batch_is_refused():
    with pytest.raises(ts.InputError, match="X and y must be given together"):
        analysis.TopologyRecorder(X=np.ones((2, 8)))


def test_describe_network_gives_degrees_and_duplicates():
    net = ts.SparseMLP.from_matrices([np.array([[1, 0, 2], [3, 0, 4], [0, 0, 0]]), np.array([[1, 1, 0]])])
    first, second = analysis.describe(net)["layers"]
    assert first["in_degree"] == (0, 2.0, 2)
    assert first["out_degree"] == (0, 2.0, 2)
    assert first["duplicates"] == 1
    assert (first["dead"], second["dead"]) == (1, None)


def test_a_skip_layer_has_figures_but_no_dead_neurons():
    net = ts.SparseMLP((10, 20, 3), epsilon=2, skip=True, skip_density=0.5, seed=0)
    X = np.random.default_rng(0).standard_normal((60, 10))
    recorder = analysis.TopologyRecorder(X=X, y=np.arange(60) % 3)
    trainer = ts.Trainer(net, evolution=ts.SET(), batch_size=16, callbacks=[recorder])
    record = trainer.fit(X, np.arange(60) % 3, epochs=2).records[-1]
    assert [len(record[name]) for name in ("density", "dead", "spectral_norm", "gradient_norm")] == [3] * 4
    assert record["density"][-1] == 0.5
    assert record["dead"][1:] == [None, None]
    assert record["gradient_norm"][-1] > 0
