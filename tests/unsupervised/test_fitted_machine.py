from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

import boltzmann_reference as reference
import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.unsupervised.rbm import SparseRBM

SMALL = {"n_components": 12, "epsilon": 3, "n_iter": 3, "random_state": 0, "n_jobs": 1}


@pytest.fixture
def X(rng):
    patterns = rng.random((4, 20)) > 0.5
    return (patterns[rng.integers(4, size=60)] ^ (rng.random((60, 20)) < 0.05)).astype(np.float32)


def test_what_is_learned_is_there(X):
    rbm = SparseRBM(**SMALL).fit(X)
    assert rbm.n_iter_ == len(rbm.reconstruction_errors_) == 3
    assert rbm.components_.shape == (12, 20)
    assert rbm.components_.nnz == 96
    assert rbm.intercept_hidden_.shape == (12,)
    assert rbm.intercept_visible_.shape == (20,)
    assert rbm.get_feature_names_out().tolist() == [f"sparserbm{i}" for i in range(12)]
    H = rbm.transform(X)
    assert H.dtype == np.float32
    wanted = reference.sigmoid(X @ rbm.components_.toarray().T + rbm.intercept_hidden_)
    np.testing.assert_allclose(H, wanted, rtol=1e-5)
    V = rbm.inverse_transform(H)
    np.testing.assert_allclose(V, reference.sigmoid(H @ rbm.components_.toarray() + rbm.intercept_visible_), rtol=1e-5)


def test_learning_makes_samples_likely(rng, X):
    """Against the exact likelihood: 10 hidden units, so that the partition function is a sum over 2^10 states."""
    settings = SMALL | {"n_components": 10, "epsilon": 5, "n_iter": 150}
    for other in ({}, {"persistent": True}, {"k": 3, "momentum": 0.5, "learning_rate": 0.05}):
        rbm = SparseRBM(**settings | other).fit(X)
        W, b, c = rbm.components_.toarray(), rbm.intercept_hidden_, rbm.intercept_visible_
        H = reference.states(10)
        log_z = np.logaddexp.reduce(H @ b + np.logaddexp(0, H @ W + c).sum(axis=1))
        likelihood = -rbm.free_energy(X).mean() - log_z
        p = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
        independent = (X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1).mean()
        assert likelihood > independent + 3
        found = rbm.log_partition(400, 200)
        assert found.low < log_z < found.high
        noise = (rng.random((60, 20)) > 0.5).astype(np.float32)
        assert rbm.score(X) > rbm.score(noise) + 3
        assert np.median(rbm.free_energy(X)) < np.median(rbm.free_energy(noise))


def test_samples_look_like_what_was_learned(X):
    rbm = SparseRBM(**SMALL | {"epsilon": 6, "n_iter": 100}).fit(X)
    samples = rbm.sample(400, 200)
    assert set(np.unique(samples)) <= {0.0, 1.0}
    np.testing.assert_allclose(samples.mean(axis=0), X.mean(axis=0), atol=0.4)
    assert np.corrcoef(np.cov(samples.T).ravel(), np.cov(X.T).ravel())[0, 1] > 0.7
    np.testing.assert_array_equal(samples, rbm.sample(400, 200))
    assert (samples != rbm.sample(400, 200, random_state=5)).any()
    steps = rbm.gibbs(X, 3)
    np.testing.assert_array_equal(steps, rbm.gibbs(X, 3))
    assert (steps != rbm.gibbs(X, 3, random_state=5)).any()
    assert np.abs(steps - X).mean() < 0.25


def test_gaussian_units_work_in_the_unit_of_the_samples(rng):
    factors = rng.normal(size=(400, 3))
    X = factors @ rng.normal(size=(3, 15)) * rng.uniform(1, 50, 15) + rng.uniform(-100, 100, 15)
    X[:, 4] = 7.0
    rbm = SparseRBM(40, density=0.5, visible="gaussian", learning_rate=0.02, n_iter=150, random_state=0, n_jobs=1)
    V = rbm.fit(X).inverse_transform(rbm.transform(X))
    assert (V[:, 4] == 7).all()
    rest = np.delete(np.arange(15), 4)
    assert (np.square(V - X).mean(axis=0)[rest] < 0.5 * X.var(axis=0)[rest]).all()
    noise = X.mean(axis=0) + 3 * X.std(axis=0) * rng.normal(size=X.shape)
    assert np.median(rbm.score_samples(X)) > np.median(rbm.score_samples(noise))
    np.testing.assert_array_equal(rbm.score_samples(X), -rbm.free_energy(X))
    samples = rbm.sample(500, 100)
    assert (np.abs(samples.mean(axis=0) - X.mean(axis=0)) < X.std(axis=0) + 1e-6).all()
    dense = SparseRBM(40, density=0.5, visible="gaussian", learning_rate=0.02, n_iter=2, random_state=0, n_jobs=1)
    few = sp.csr_matrix(np.where(np.abs(X) < 20, 0, X))
    np.testing.assert_allclose(
        clone(dense).fit(few).components_.data, clone(dense).fit(few.toarray()).components_.data, rtol=1e-4, atol=1e-6
    )


def test_layers_start_a_network(rng, X):
    """Layer-wise pre-training: a SparseMLP of the connections and weights of two machines computes what they do."""
    first = SparseRBM(**SMALL).fit(X)
    second = SparseRBM(**SMALL | {"n_components": 8}).fit(first.transform(X))
    W = ts.SparseMLP((8, 2), density=0.5, output="softmax", seed=0).layers[0].weight
    matrices = [first.components_, second.components_, W]
    biases = [first.intercept_hidden_, second.intercept_hidden_, np.zeros(2)]
    net = ts.SparseMLP.from_matrices(matrices, biases, activation="sigmoid", output="softmax")
    hidden = net.forward(X).hidden
    np.testing.assert_allclose(hidden[0], first.transform(X), rtol=1e-5)
    np.testing.assert_allclose(hidden[1], second.transform(first.transform(X)), rtol=1e-5)
    y = X[:, 0].astype(int)
    ts.Trainer(net, optimizer=ts.Adam(0.01), evolution=ts.SET(0.1)).fit(X, y, epochs=60)
    assert (net.predict(X) == y).mean() > 0.9


def test_what_does_not_fit_is_refused(X):
    rbm = SparseRBM(**SMALL).fit(X)
    with pytest.raises(ValueError, match="20 features"):
        rbm.transform(X[:, :5])
    with pytest.raises(InputError, match="X has 5 columns, but there are 12 hidden units"):
        rbm.inverse_transform(np.ones((2, 5)))
    with pytest.raises(ValueError, match="NaN"):
        rbm.fit(np.where(X == 1, np.nan, X))
    with pytest.raises(ValueError, match="NaN"):
        rbm.inverse_transform(np.full((2, 12), np.nan))
    with pytest.raises(InputError, match="n_steps must be at least 1"):
        rbm.gibbs(X, 0)
    with pytest.raises(InputError, match="n_samples must be at least 1"):
        rbm.sample(0)
    with pytest.raises(InputError, match="n_chains must be at least 2"):
        rbm.log_partition(1)
    with pytest.raises(InputError, match="visible='bernoulli'"):
        SparseRBM(**SMALL | {"visible": "gaussian"}).fit(X).log_partition()
