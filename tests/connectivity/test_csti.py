"""CSTI against the largest correlations of the whole matrix, at every width of the hidden layer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from conftest import check_invariants
from trulysparse import connectivity as tc
from trulysparse.connectivity import csti


def samples(n_features=30, constant=()):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, n_features)) @ rng.normal(size=(n_features, n_features)) + 3
    X[:, list(constant)] = 1.0
    return X


def naive(X, n_out, count):
    """|correlations| of the connections: the largest of all pairs of an input and a neuron, itself first."""
    varying = np.flatnonzero(X.std(axis=0) > 0)
    full = np.zeros((X.shape[1], X.shape[1]))
    full[np.ix_(varying, varying)] = np.abs(np.corrcoef(X[:, varying].T))
    np.fill_diagonal(full, 2)
    tiled = full[:, varying[np.arange(n_out) % len(varying)]]
    return tiled, np.sort(tiled.ravel())[::-1][:count]


@pytest.mark.parametrize(("n_out", "count"), [(60, 200), (30, 100), (75, 900), (60, 31), (31, 870)])
@pytest.mark.parametrize("constant", [(), (0, 17)])
def test_the_largest_correlations_of_all_pairs(monkeypatch, n_out, count, constant):
    monkeypatch.setattr(csti, "_COLUMNS", 7)
    X = samples(constant=constant)
    con = tc.CSTI(X).draw_network((30, n_out, 3), (min(count, 28 * n_out), 5), seed=1, threads=1)[0]
    check_invariants(con)
    assert con.n_connections == min(count, 28 * n_out)
    tiled, wanted = naive(X, n_out, con.n_connections)
    neurons = np.repeat(np.arange(n_out), np.diff(con.indptr))
    np.testing.assert_allclose(np.sort(tiled[con.indices, neurons])[::-1], wanted, atol=1e-5)


def test_fewer_neurons_than_features_stand_for_some_of_them():
    X = samples()
    con = tc.CSTI(X).draw_network((30, 10, 3), (50, 5), seed=1, threads=1)[0]
    pattern = con.pattern().toarray()
    assert pattern.sum() == 50
    full = np.abs(np.corrcoef(X.T))
    for neuron in range(10):  # some feature explains what a neuron sees
        seen = np.flatnonzero(pattern[neuron])
        assert any(set(seen) == set(np.argsort(-full[f])[: len(seen)]) for f in seen)
    capped = tc.CSTI(X, max_features=3).draw_network((30, 12, 3), (12, 5), seed=1, threads=1)[0]
    assert len(set(capped.indices.tolist())) == 3


def test_what_correlations_do_not_fill_is_random():
    X = np.ones((20, 6))
    con = tc.CSTI(X).draw_network((6, 8, 2), (20, 5), threads=1)[0]
    assert con.n_connections == 20
    X[:, 0] = np.arange(20)
    con = tc.CSTI(X).draw_network((6, 8, 2), (20, 5), threads=1)[0]
    pattern = con.pattern().toarray()
    assert pattern[:, 0].all()
    assert pattern.sum() == 20
    check_invariants(con)


def test_sparse_samples_give_what_dense_ones_do():
    X = sp.random_array((400, 60), density=0.05, rng=np.random.default_rng(2), format="csr")
    sparse, dense = (
        tc.CSTI(form).draw_network((60, 90, 3), (400, 5), seed=3, threads=1)[0] for form in (X, X.toarray())
    )
    assert np.abs(sparse.pattern() - dense.pattern()).sum() <= 8  # near ties: values are rounded differently


def test_other_layers_are_receptive_fields_and_threads_do_not_matter():
    sizes, counts = (30, 60, 60, 5), (200, 400, 300)
    one, three = (tc.CSTI(samples()).draw_network(sizes, counts, seed=4, threads=threads) for threads in (1, 3))
    for a, b in zip(one, three, strict=True):
        assert a.indices.tobytes() == b.indices.tobytes()
    rows = np.repeat(np.arange(60), np.diff(one[1].indptr))
    away = np.abs(one[1].indices - rows)
    assert np.median(np.minimum(away, 60 - away)) <= 3
    single = tc.CSTI(samples()).draw_network((30, 5), (40,), threads=1)
    assert single[0].n_connections == 40


def test_networks_take_samples_in_any_form():
    X = samples()
    y = (X[:, 0] > 3).astype(int)
    nets = [
        ts.SparseMLP((30, 60, 2), epsilon=2, connectivity=given, X=x, seed=1)
        for given, x in [("csti", X), ("csti", sp.csc_array(X)), ("csti", X.tolist())]
    ]
    for net in nets:
        assert net.n_connections == 180 + 120
    assert nets[0].layers[0].connectivity.indices.tobytes() == nets[2].layers[0].connectivity.indices.tobytes()
    own = ts.SparseMLP((30, 60, 2), epsilon=2, connectivity=tc.CSTI(X, r=0.5), seed=1)
    assert own.layers[0].connectivity.indices.tobytes() == nets[0].layers[0].connectivity.indices.tobytes()
    ts.Trainer(nets[0], evolution=ts.SET()).fit(X, y, epochs=2)
    assert repr(tc.CSTI(X)) == "CSTI(X of shape (200, 30), r=0.25)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ts.SparseMLP((3, 4, 2), connectivity="csti"), "needs X, the training samples"),
        (lambda: ts.SparseMLP((3, 4, 2), connectivity="brf", X=np.ones((5, 3))), "has no use for X"),
        (lambda: ts.SparseMLP((3, 4, 2), connectivity="csti", X=np.ones((5, 4))), "X has 4 features"),
        (lambda: ts.SparseMLP((3, 4, 2), connectivity="csti", X=np.full((5, 3), np.nan)), r"X\[0, 0\] is nan"),
        (lambda: tc.CSTI(np.ones((3, 3)), r=0), "r must lie"),
        (lambda: tc.CSTI(np.ones((3, 3)), max_samples=1), "max_samples must be"),
        (lambda: tc.CSTI(np.ones((3, 3)), max_features=0), "max_features must be"),
        (lambda: tc.CSTI(np.ones(3)), "must hold numbers of shape"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ts.InputError, match=message):
        call()
