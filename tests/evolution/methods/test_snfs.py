"""SNFS: growth follows the mean momentum of layers."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from evolution.training import coordinates, one_step, weights_of


def test_snfs_layers_grow_in_proportion_to_mean_momentum():
    trainer, batch, before = one_step(
        ts.SNFS(fraction=0.3), sizes=(20, 30, 25, 20), optimizer=ts.SGD(0.05, momentum=0.9)
    )
    means, n_removed = [], 0
    for layer, state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        removed = int(0.3 * layer.n_connections)
        kept = np.argsort(np.abs(layer.values), kind="stable")[removed:]
        means.append(np.abs(state.weight[0][kept]).mean())
        n_removed += removed
    sizes = np.array([layer.n_connections - int(0.3 * layer.n_connections) for layer in trainer.net.layers])
    empty = np.array([layer.n_in * layer.n_out for layer in trainer.net.layers]) - sizes
    expected = np.array(means) / sum(means) * n_removed
    assert (expected < empty).all()  # no layer is full
    trainer.evolve(*batch)
    grown = np.array([layer.n_connections for layer in trainer.net.layers]) - sizes
    np.testing.assert_allclose(grown, expected, atol=2)
    assert sum(map(len, weights_of(trainer.net))) == sum(map(len, before))


def test_snfs_without_momentum_keeps_the_size_of_each_layer():
    trainer, batch, before = one_step(ts.SNFS(fraction=0.3), optimizer=ts.SGD(0.05, momentum=0.0))
    assert trainer.evolve(*batch) > 0
    assert [len(coordinates(layer)) for layer in trainer.net.layers] == [len(old) for old in before]
