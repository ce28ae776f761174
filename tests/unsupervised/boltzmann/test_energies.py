from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import boltzmann_reference as reference
from trulysparse.data import as_matrix
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.energies import free_energy, pseudo_likelihood


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_free_energy_sums_over_all_hidden_states(rng, visible, dtype):
    machine = reference.small_machine(visible=visible, dtype=dtype, scale=2.0)
    X = rng.random((300, 6)).round() if visible == "bernoulli" else rng.normal(size=(300, 6))
    found = free_energy(machine, as_matrix(X), 1)
    np.testing.assert_allclose(found, reference.free_energy(machine, X), rtol=2e-5, atol=1e-5)


def test_free_energy_of_sparse_samples(rng):
    machine = reference.small_machine()
    X = rng.random((40, 6)).round()
    np.testing.assert_array_equal(
        free_energy(machine, as_matrix(sp.csr_array(X)), 1), free_energy(machine, as_matrix(X), 1)
    )


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_gradient_of_the_free_energy_is_the_data_phase(rng, visible):
    """-dF/dw = v p(h|v), -dF/db = p(h|v), -dF/dc = v (less c of Gaussian units), by central differences."""
    machine = reference.small_machine(visible=visible)
    X = as_matrix(rng.random((7, 6)).round())
    v, h = machine.columns(7)
    X.load(np.arange(7), v.values, None, 1)
    machine.hidden_given(v, h, 7, None, 1)
    weight, bias = machine.layer.gradients(h.values, v, None, 1)
    own = v.values.sum(axis=1) - (7 * machine.visible_bias if visible == "gaussian" else 0)
    for array, gradient in ((machine.layer.values, weight), (machine.layer.bias, bias), (machine.visible_bias, own)):
        for at in range(len(array)):
            kept, found = array[at], []
            for step in (1e-5, -1e-5):
                array[at] = kept + step
                found.append(-free_energy(machine, X, 1).sum())
            array[at] = kept
            assert gradient[at] == pytest.approx((found[0] - found[1]) / 2e-5, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pseudo_likelihood_is_the_sum_of_conditionals(dtype):
    machine = reference.small_machine(scale=2.0, dtype=dtype)
    X = reference.states(6)
    log_p = -reference.free_energy(machine, X)  # less ln Z
    wanted = np.zeros(len(X))
    for n, v in enumerate(X):
        for unit in range(6):
            other = v.copy()
            other[unit] = 1 - other[unit]
            flipped = int(np.flatnonzero((other == X).all(axis=1))[0])
            wanted[n] += log_p[n] - np.logaddexp(log_p[n], log_p[flipped])
    np.testing.assert_allclose(pseudo_likelihood(machine, as_matrix(X), 1), wanted, rtol=2e-5, atol=1e-6)


def test_scikit_learns_estimate_has_this_mean(rng):
    from sklearn.neural_network import BernoulliRBM

    machine = reference.small_machine(12, 8, scale=1.5)
    W, b, c = reference.dense(machine)
    X = rng.random((20, 12)).round()
    peer = BernoulliRBM(n_components=8, random_state=0, n_iter=1).fit(X)
    peer.components_, peer.intercept_hidden_, peer.intercept_visible_ = W, b, c
    peer.random_state_ = peer.random_state = np.random.RandomState(0)
    estimates = np.array([peer.score_samples(X) for _ in range(300)])
    error = estimates.std(axis=0) / np.sqrt(300)
    assert (np.abs(estimates.mean(axis=0) - pseudo_likelihood(machine, as_matrix(X), 1)) < 5 * error + 1e-9).all()


def test_threads_and_batches_change_nothing(rng):
    machine = reference.small_machine(200, 100, dtype="float32", density=0.2)
    X = as_matrix(rng.random((700, 200)).astype(np.float32))
    np.testing.assert_array_equal(pseudo_likelihood(machine, X, 1), pseudo_likelihood(machine, X, 3))
    one = as_matrix(X.x[650:651])
    np.testing.assert_allclose(pseudo_likelihood(machine, one, 1), pseudo_likelihood(machine, X, 1)[650:651], rtol=1e-6)
    np.testing.assert_allclose(free_energy(machine, one, 1), free_energy(machine, X, 1)[650:651], rtol=1e-6)


@pytest.mark.parametrize("k", [1, 3])
def test_persistent_chains_gain_exact_likelihood(k):
    """Of data from a few patterns, by enumeration of all states."""
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0]], dtype=float)
    X = np.repeat(patterns, 40, axis=0)
    machine = reference.small_machine(scale=0.05, density=0.7)
    settings = DivergenceSettings(0.05, 0.5, 0.0, k=k, persistent=True)
    learner = ContrastiveDivergence(machine, settings, batch_size=60, seed=0, threads=1)

    def likelihood():
        return -reference.free_energy(machine, patterns).mean() - reference.log_partition(machine)

    before, order = likelihood(), np.random.default_rng(0)
    for _ in range(400):
        learner.update(as_matrix(X), order.permutation(120)[:60])
    after = likelihood()
    assert before == pytest.approx(-6 * np.log(2), abs=0.2)
    assert after > -2.2  # ln 3 patterns: -1.1; the machine has 5 hidden units and 21 connections
