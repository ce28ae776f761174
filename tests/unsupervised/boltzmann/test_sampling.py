from __future__ import annotations

import numpy as np
import pytest

import boltzmann_reference as reference
from trulysparse.data import as_matrix
from trulysparse.unsupervised.boltzmann.sampling import draw, gibbs, hidden_means, visible_means


def test_samples_have_the_exact_distribution():
    """Frequencies of all visible states against their probabilities by enumeration."""
    machine = reference.small_machine(5, 4, scale=1.0)
    V = reference.states(5)
    p = np.exp(-reference.free_energy(machine, V) - reference.log_partition(machine))
    samples = draw(machine, 20_000, 60, seed=0, threads=1)
    counts = np.bincount((samples @ 2 ** np.arange(5)[::-1]).astype(int), minlength=32)
    error = np.sqrt(p * (1 - p) / 20_000)
    assert (np.abs(counts / 20_000 - p) < 4.5 * error).all()


def test_gaussian_samples_have_the_exact_moments():
    """Given h, v is normal around c + W'h: the mean is c + W' E[h], and p(h) is known by enumeration."""
    machine = reference.small_machine(4, 4, scale=0.7, visible="gaussian")
    W, b, c = reference.dense(machine)
    H = reference.states(4)
    means = H @ W + c
    log_p = H @ b + np.square(means).sum(axis=1) / 2 - np.square(c).sum() / 2
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    samples = draw(machine, 20_000, 60, seed=0, threads=1)
    np.testing.assert_allclose(samples.mean(axis=0), p @ means, atol=0.05)
    covariance = np.eye(4) + (means * p[:, None]).T @ means - np.outer(p @ means, p @ means)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.1)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_draws_depend_on_the_seed_alone(rng, visible):
    machine = reference.small_machine(600, 500, scale=0.1, density=0.1, dtype="float32", visible=visible)
    X = as_matrix(rng.random((400, 600)).astype(np.float32))
    first = gibbs(machine, X, 2, seed=1, threads=1)
    np.testing.assert_array_equal(first, gibbs(machine, X, 2, seed=1, threads=3))
    assert (first != gibbs(machine, X, 2, seed=2, threads=1)).any()
    drawn = draw(machine, 300, 3, seed=1, threads=1)
    np.testing.assert_array_equal(drawn, draw(machine, 300, 3, seed=1, threads=3))
    np.testing.assert_array_equal(drawn[:128], draw(machine, 128, 3, seed=1, threads=1))
    assert (drawn[0] != drawn[1]).any()


def test_progress_reaches_its_end(rng):
    machine = reference.small_machine()
    told = []
    draw(machine, 3, 250, seed=0, threads=1, progress=lambda *each: told.append(each))
    assert told == [("sampling", 0, 750), ("sampling", 300, 750), ("sampling", 600, 750), ("sampling", 750, 750)]


def test_means_of_many_samples(rng):
    machine = reference.small_machine(9, 7)
    W, b, c = reference.dense(machine)
    X, H = rng.random((1500, 9)), rng.random((1500, 7))
    np.testing.assert_allclose(hidden_means(machine, as_matrix(X), 1), reference.sigmoid(X @ W.T + b), rtol=1e-9)
    np.testing.assert_allclose(visible_means(machine, H, 1), reference.sigmoid(H @ W + c), rtol=1e-9)
