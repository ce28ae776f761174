"""Named methods in training: invariants, state, reproducibility, and rules of the user's own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from conftest import check_invariants
from trulysparse.evolution import NAMES, grow, make_evolution, prune

METHODS = [name for name in NAMES if name not in ("none", "static")]


def problem(n=200, features=20, classes=3):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, features)).astype(np.float32)
    return X, (X[:, :classes].argmax(axis=1)).astype(np.int64)


def quick(name):
    """The method, set to evolve often enough for a short test."""
    short = {"rigl": ts.RigL(every=5), "gse": ts.GSE(every=5), "dsr": ts.DSR(every=5, threshold=0.02),
             "granet": ts.GraNet(every=5), "mest": ts.MEST(0.1, every=1)}  # fmt: skip
    return short.get(name) or make_evolution(name)


def trained(method, *, threads=2, epochs=4, optimizer=None, callbacks=(), epsilon=4.0):
    X, y = problem()
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=epsilon, seed=0, threads=threads)
    trainer = ts.Trainer(net, optimizer=optimizer or ts.SGD(0.05), evolution=method, batch_size=32, seed=0)
    history = trainer.fit(X, y, epochs=epochs, callbacks=callbacks)
    return trainer, history


@pytest.mark.parametrize("name", METHODS)
def test_invariants_and_state(name):
    start = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    trainer, history = trained(quick(name), optimizer=ts.Adam(0.01))
    for layer, optimizer_state in zip(trainer.net.layers, trainer.optimizer_state, strict=True):
        check_invariants(layer.connectivity)
        assert len(layer.values) == layer.n_connections
        assert all(len(slot) == layer.n_connections for slot in optimizer_state.weight)
    if name == "granet":
        assert trainer.net.n_connections == pytest.approx(start.n_connections / 2, rel=0.1)
    else:
        assert trainer.net.n_connections == start.n_connections
    changed = any(
        not np.array_equal(a.connectivity.indices, b.connectivity.indices)
        for a, b in zip(start.layers, trainer.net.layers, strict=True)
    )
    assert changed
    assert history.records[-1]["loss"] < history.records[0]["loss"]


@pytest.mark.parametrize("name", METHODS)
def test_same_bits_for_any_threads(name):
    one, two = (trained(quick(name), threads=t)[0].net for t in (1, 3))
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.connectivity.indices.tobytes() == b.connectivity.indices.tobytes()
        assert a.values.tobytes() == b.values.tobytes()


def test_static_and_none_are_the_same():
    a, b = (trained(method)[0].net for method in (ts.Static(), None))
    assert all(x.values.tobytes() == y.values.tobytes() for x, y in zip(a.layers, b.layers, strict=True))


def test_momentum_moves_with_its_connection():
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


@pytest.mark.parametrize("method", [ts.RigL(fraction=0.5), ts.GSE(fraction=0.5), ts.SNFS(fraction=0.5)])
def test_a_full_layer_keeps_its_weights(method):
    """Its only empty places are those just emptied: all that was removed is chosen again."""
    X, y = problem()
    net = ts.SparseMLP((20, 10, 3), epsilon=100.0, seed=0)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=method, seed=0)
    trainer.step(X, y)
    weights = [layer.values.copy() for layer in net.layers]
    momenta = [optimizer_state.weight[0].copy() for optimizer_state in trainer.optimizer_state]
    assert net.density == 1
    assert trainer.evolve(X, y) == 0
    for layer, optimizer_state, weight, momentum in zip(
        net.layers, trainer.optimizer_state, weights, momenta, strict=True
    ):
        np.testing.assert_array_equal(layer.values, weight)
        np.testing.assert_array_equal(optimizer_state.weight[0], momentum)
        assert np.all(weight)


def test_rigl_grows_the_dense_top_k_in_every_layer():
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


def test_growth_takes_the_place_of_an_update():
    """Each batch is used once: updates and growth steps together are the steps of training."""
    trainer, _ = trained(ts.RigL(every=3), epochs=2)
    assert trainer.step_count == 2 * 7


def test_gradient_methods_need_a_batch():
    net = ts.SparseMLP((20, 30, 3), epsilon=4.0)
    with pytest.raises(ts.InputError, match="needs X_batch and y_batch"):
        ts.Trainer(net, evolution=ts.RigL()).evolve()
    with pytest.raises(ts.InputError, match="must be given to the Trainer"):
        ts.Trainer(net).evolve()
    with pytest.raises(ts.InputError, match="budget must be as_lost"):
        ts.Evolution(prune.MagnitudeAndGradient(), grow.uniform, ts.Schedule(every_epochs=1), budget=lambda views: [0])


def test_a_rule_of_ones_own():
    """The example of docs/evolution.md: connections of the weakest input neurons go."""

    def weakest_inputs(view):
        rows = view.layer.connectivity.by_input
        owner = np.repeat(np.arange(view.layer.n_in), np.diff(rows.ptr))
        strength = np.bincount(owner, weights=np.abs(view.layer.values), minlength=view.layer.n_in)
        return prune.smallest(strength[owner].astype(view.layer.values.dtype), view)

    method = ts.Evolution(prune=weakest_inputs, grow=grow.uniform, schedule=ts.Schedule(0.2, every_epochs=1))
    trainer, history = trained(method)
    assert trainer.net.n_connections == ts.SparseMLP((20, 30, 25, 3), epsilon=4.0).n_connections
    assert history.records[-1]["loss"] < history.records[0]["loss"]


def marks(value, dtype=np.uint8):
    return lambda view: np.full(view.layer.n_connections, value, dtype)


def taken(view):
    rows = view.layer.connectivity.by_input
    return rows.ptr.copy(), rows.index.copy()


@pytest.mark.parametrize(
    ("pruning", "growth", "message"),
    [
        (lambda view: None, grow.uniform, "must return a uint8 keep mask"),
        (marks(1, bool), grow.uniform, "must return a uint8 keep mask"),
        (lambda view: np.ones(3, np.uint8), grow.uniform, "must return a uint8 keep mask"),
        (prune.magnitude, grow.no_growth, r"no_growth must return \d+ coordinates"),
        (marks(0), lambda view: (taken(view)[0], taken(view)[1] - 1), "must return outputs from 0 to"),
    ],
)
def test_rules_that_return_nonsense(pruning, growth, message):
    before = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0).n_connections
    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(pruning, growth, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(net, evolution=method).evolve()
    assert net.n_connections == before


def test_places_that_are_taken():
    def half(view):
        keep = np.ones(view.layer.n_connections, np.uint8)
        keep[::2] = 0
        return keep

    def uniform_excluding_pruned(view):
        ptr, index = grow.uniform(view)
        rows = view.layer.connectivity.by_input
        first = int(np.flatnonzero(np.diff(ptr) > 0)[0])
        row = slice(rows.ptr[first], rows.ptr[first + 1])
        index[ptr[first]] = rows.index[row][view.keep_mask[row] > 0][0]
        index[ptr[first] : ptr[first + 1]].sort()
        return ptr, index

    net = ts.SparseMLP((20, 30, 25, 3), epsilon=4.0, seed=0)
    method = ts.Evolution(half, uniform_excluding_pruned, ts.Schedule(0.3, every_epochs=1))
    with pytest.raises(ts.InputError, match=r"hold a connection that remains|ascending and each once"):
        ts.Trainer(net, evolution=method).evolve()


@pytest.mark.parametrize("epsilon", [0.05, 100.0])
@pytest.mark.parametrize("name", METHODS)
def test_nearly_empty_and_full_layers(name, epsilon):
    trainer, _ = trained(quick(name), epsilon=epsilon)
    for layer in trainer.net.layers:
        check_invariants(layer.connectivity)
