"""Each figure of a topology against its definition on small dense matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import analysis
from trulysparse.connectivity import scale_free, uniform


def network(epsilon=0.8, sizes=(8, 10, 9, 3), seed=0, **settings):
    return ts.SparseMLP(sizes, epsilon=epsilon, seed=seed, **settings)


def patterns(net):
    return [(layer.weight.toarray() != 0) for layer in net.layers]


@pytest.mark.parametrize("seed", range(4))
def test_paths_are_those_one_can_walk(seed):
    net = network(seed=seed)
    a, b, c = patterns(net)
    walked = np.zeros((8, 3))
    for i, h, k, o in itertools.product(range(8), range(10), range(9), range(3)):
        walked[i, o] += a[h, i] and b[k, h] and c[o, k]
    paths = analysis.effective_paths(net)
    with np.errstate(divide="ignore"):
        assert paths.total == pytest.approx(np.log10(walked.sum()))
        np.testing.assert_allclose(paths.from_input, np.log10(walked.sum(axis=1)), atol=1e-12)
        np.testing.assert_allclose(paths.to_output, np.log10(walked.sum(axis=0)), atol=1e-12)


def test_more_paths_than_a_float_holds():
    net = ts.SparseMLP([100] * 220, epsilon=100)
    assert analysis.effective_paths(net).total == pytest.approx(220 * 2)


def test_no_paths():
    net = network()
    cut = ts.SparseMLP.from_matrices([layer.weight * (number != 1) for number, layer in enumerate(net.layers)])
    assert analysis.effective_paths(ts.SparseMLP.from_matrices([np.zeros((4, 3))])).total == -np.inf
    assert cut.n_connections == net.n_connections  # stored zeros are connections


@pytest.mark.parametrize("shape", [(30, 20), (1, 7), (2, 9), (9, 2), (3, 3)])
def test_spectral_norm(shape):
    net = ts.SparseMLP(shape, epsilon=1.0, seed=1)
    expected = np.linalg.norm(net.layers[0].weight.toarray().astype(float), 2)
    assert analysis.spectral_norm(net.layers[0]) == pytest.approx(expected, rel=1e-6)


def test_dead_neurons():
    net = network(0.4, seed=3, activation="relu")
    a, b, c = patterns(net)
    expected = [~a.any(axis=1) | ~b.any(axis=0), ~b.any(axis=1) | ~c.any(axis=0)]
    for found, marks in zip(analysis.dead_neurons(net), expected, strict=True):
        np.testing.assert_array_equal(found, marks)
    net.layers[0].bias[:] = -100
    assert analysis.dead_neurons(net, np.ones((5, 8)))[0].all()


def test_duplicate_neurons():
    matrix = np.array([[1, 0, 2], [0, 0, 0], [3, 0, 4], [1, 1, 0], [0, 0, 0], [5, 6, 0]])
    con = ts.SparseMLP.from_matrices([matrix]).layers[0].connectivity
    np.testing.assert_array_equal(analysis.duplicate_neurons(con), [0, 1, 0, 3, 1, 3])


def test_distance_finds_a_permutation():
    net = network(2.0, (12, 15, 11, 4), seed=1)
    random = np.random.default_rng(0)
    hidden = [random.permutation(15), random.permutation(11)]
    w = [layer.weight.toarray() for layer in net.layers]
    shuffled = ts.SparseMLP.from_matrices(
        [w[0][hidden[0]], w[1][hidden[1]][:, hidden[0]], w[2][:, hidden[1]]], activation="relu"
    )
    found = analysis.topology_distance(net, shuffled)
    assert found.mean == pytest.approx(0)
    same = analysis.topology_distance(net, net)
    assert same.mean == 0
    other = analysis.topology_distance(net, network(2.0, (12, 15, 11, 4), seed=2))
    assert 0.2 < other.mean < 1
    with pytest.raises(ts.InputError, match="differ in size"):
        analysis.topology_distance(net, network())


def test_distance_is_least_over_all_matchings():
    a, b = network(1.5, (6, 5, 2), seed=1), network(1.5, (6, 5, 2), seed=2)
    first, second = patterns(a)[0], patterns(b)[0]

    def cost(order):
        pairs = [(first[i], second[j]) for i, j in enumerate(order)]
        return sum(1 - (x & y).sum() / max(1, (x | y).sum()) if (x | y).any() else 1 for x, y in pairs) / 5

    best = min(cost(order) for order in itertools.permutations(range(5)))
    assert analysis.topology_distance(a, b).layers[0] == pytest.approx(best)


def test_degree_fit_tells_hubs_from_chance():
    pytest.importorskip("powerlaw")
    hubs = analysis.fit_degrees(analysis.in_degrees(scale_free(20_000, 20_000, 100_000, exponent=2.3, seed=1)))
    assert hubs.favours == "power law"
    assert 1.8 < hubs.exponent < 3
    chance = analysis.fit_degrees(analysis.in_degrees(uniform(20_000, 20_000, 100_000, seed=1)))
    assert chance.favours != "power law"
    with pytest.raises(ts.InputError, match="three different values"):
        analysis.fit_degrees(np.array([3, 3, 3]))


def test_recorder_and_exploration():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((64, 8)), random.integers(0, 3, 64)
    net = network(1.0)
    seen = [set(map(tuple, np.argwhere(p))) for p in patterns(net)[:-1]]

    class Naive(ts.Callback):
        def on_evolution(self, trainer, grown):
            for places, pattern in zip(seen, patterns(trainer.net), strict=False):
                places |= set(map(tuple, np.argwhere(pattern)))

    recorder = analysis.TopologyRecorder(X=X, y=y)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.SET(0.5), batch_size=16)
    history = trainer.fit(X, y, epochs=4, callbacks=[Naive(), recorder])
    expected = sum(map(len, seen)) / (8 * 10 + 10 * 9)
    assert history.records[-1]["exploration"] == recorder.rate == pytest.approx(expected)
    last = history.records[-1]
    assert last["density"] == [layer.connectivity.density for layer in net.layers]
    _, gradients = trainer.gradients(X, y)
    np.testing.assert_allclose(last["gradient_norm"], [np.linalg.norm(w.toarray()) for w, _ in gradients], rtol=1e-6)
    assert len(last["spectral_norm"]) == 3


def test_exploration_of_layers_too_large_for_a_map(monkeypatch):
    from trulysparse.analysis import exploration

    random = np.random.default_rng(0)
    X, y = random.standard_normal((64, 8)), random.integers(0, 3, 64)
    rates = []
    for places in (1 << 26, 0):
        monkeypatch.setattr(exploration, "MAX_MAP_SIZE", places)
        watch = analysis.Exploration()
        ts.Trainer(network(1.0), evolution=ts.SET()).fit(X, y, epochs=5, callbacks=[watch])
        rates.append(watch.rate)
    assert rates[0] == rates[1]
