"""RigL against a dense network written in NumPy."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

import trulysparse as ts
from evolution.training import problem, trained


def test_rigl_every_layer_grows_the_dense_top_k():
    """Against a dense network written in NumPy, through the trainer."""
    X, y = problem(64)
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=1.5, seed=3, dtype="float64", activation="relu")
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.RigL(fraction=0.4))
    trainer.step(X, y)
    weights = [layer.weight.toarray() for layer in net.layers]
    present = [sp.csr_array((np.ones(w.n_connections), w.connectivity.indices, w.connectivity.indptr),
                            shape=(w.n_out, w.n_in)).toarray() > 0 for w in net.layers]  # fmt: skip
    signals = [X.T.astype(float)]
    for w, layer in zip(weights, net.layers, strict=True):
        z = w @ signals[-1] + layer.bias[:, None]
        signals.append(z if layer is net.layers[-1] else np.maximum(z, 0))
    p = np.exp(signals[-1] - signals[-1].max(axis=0))
    dy = (p / p.sum(axis=0) - np.eye(3)[y].T) / len(y)
    expected = []
    for number in reversed(range(3)):
        gradient = np.abs(dy @ signals[number].T)
        kept = present[number].copy()
        places = np.argwhere(kept.T)[:, ::-1]  # in the order of by_input
        values = np.abs([weights[number][i, j] for i, j in places])
        drop = np.argsort(values, kind="stable")[: int(0.4 * len(values))]
        kept[tuple(places[drop].T)] = False
        gradient[kept] = -1
        best = np.argsort(-gradient, axis=None, kind="stable")[: len(drop)]
        expected.append(set(map(tuple, np.argwhere(kept))) | {divmod(int(k), gradient.shape[1]) for k in best})
        dy = (weights[number].T @ dy) * (signals[number] > 0)
    trainer.evolve(X, y)
    for layer, places in zip(net.layers, expected[::-1], strict=True):
        rows = np.repeat(np.arange(layer.n_out), np.diff(layer.connectivity.indptr))
        assert set(zip(rows.tolist(), layer.connectivity.indices.tolist(), strict=True)) == places


def test_rigl_connections_that_remain_keep_weight_and_momentum():
    X, y = problem()
    net = ts.SparseMLP((20, 30, 3), epsilon=4.0, seed=0)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.RigL(), seed=0)
    for _ in range(3):
        trainer.step(X, y)
    layer = net.layers[0]

    def table():
        rows = layer.connectivity.by_input
        places = zip(np.repeat(np.arange(20), np.diff(rows.ptr)).tolist(), rows.index.tolist(), strict=True)
        return dict(zip(places, zip(layer.values, trainer.optimizer_state[0].weight[0], strict=True), strict=True))

    before = table()
    assert trainer.evolve(X, y) > 0
    after = table()
    grown = set(after) - set(before)
    assert grown
    for place, state in after.items():  # one removed and chosen again has kept both
        assert state == before.get(place, (0, 0))


def test_rigl_evolution_takes_the_place_of_an_update():
    """Each batch is used once: updates and growth steps together are the steps of training."""
    trainer, _ = trained(ts.RigL(every=3), epochs=2)
    assert trainer.step_count == 2 * 7
