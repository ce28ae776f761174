"""Contrastive divergence against the same machine written densely in NumPy, with the same random numbers."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

import boltzmann_reference as reference
import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.random import stream_key
from trulysparse.data import as_matrix
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.machine import next_key


def drawn(p, key):
    """States of units x samples, by the numbers that the kernel has for these positions."""
    stride = int(_kernels.padded_batch(p.shape[1]))
    values = np.zeros((len(p), stride))
    values[:, : p.shape[1]] = p
    _kernels.draw_units(values, None, p.shape[1], False, True, key, 1)
    return values[:, : p.shape[1]]


def normals(shape, key):
    stride = int(_kernels.padded_batch(shape[1]))
    values = np.zeros((shape[0], stride))
    _kernels.corrupt(values, batch=shape[1], noise=1.0, keep_probability=1.0, key=key, threads=1)
    return values[:, : shape[1]]


class DenseDivergence:
    """The published rule, one batch at a time, in arrays n_units x n_samples."""

    def __init__(self, machine, settings, batch_size, seed):
        self.W, self.b, self.c = reference.dense(machine)
        self.there = machine.layer.weight.toarray() != 0
        self.settings, self.seed, self.n = settings, seed, 0
        self.visible = machine.visible
        self.steps = [np.zeros_like(a) for a in (self.W, self.b, self.c)]
        self.chains = np.zeros((len(self.b), batch_size))

    def hidden(self, v):
        return reference.sigmoid(self.W @ v + self.b[:, None])

    def means(self, h):
        z = self.W.T @ h + self.c[:, None]
        return reference.sigmoid(z) if self.visible == "bernoulli" else z

    def states(self, h, key):
        means = self.means(h)
        return drawn(means, key) if self.visible == "bernoulli" else means + normals(means.shape, key)

    def phases(self, v0):
        s, key = self.settings, stream_key(self.seed, "gibbs", self.n)
        if not s.persistent:
            h = h0 = drawn(self.hidden(v0), next_key(key, 0))
            for at in range(s.k):
                v = self.means(h)
                h = drawn(self.hidden(v), next_key(key, 1 + at))
            return h0, v, h
        h = self.chains[:, : v0.shape[1]]
        for at in range(s.k):
            v = self.states(h, next_key(key, 1 + 2 * at))
            p = self.hidden(v)
            h = drawn(p, next_key(key, 2 + 2 * at)) if at < s.k - 1 else drawn(p, next_key(key, 2 * s.k))
        self.chains[:, : v0.shape[1]] = h
        return self.hidden(v0), v, p

    def update(self, X):
        v0, s, n = X.T, self.settings, len(X)
        h0, v, h = self.phases(v0)
        gains = self.there * (h0 @ v0.T - h @ v.T), (h0 - h).sum(axis=1), (v0 - v).sum(axis=1)
        for array, step, gain in zip((self.W, self.b, self.c), self.steps, gains, strict=True):
            step[:] = s.momentum * step + s.learning_rate / n * gain
            array[:] = (1 - s.weight_decay) * array + step
        self.n += 1


CASES = [
    DivergenceSettings(0.1),
    DivergenceSettings(0.1, momentum=0.8, weight_decay=0.01),
    DivergenceSettings(0.05, weight_decay=0.001, k=3),
    DivergenceSettings(0.05, momentum=0.5, persistent=True),
    DivergenceSettings(0.05, k=4, persistent=True),
]


@pytest.mark.parametrize("settings", CASES, ids=str)
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_updates_agree_with_a_dense_machine(rng, settings, visible):
    machine = reference.small_machine(40, 25, scale=0.3, density=0.3, visible=visible)
    learner = ContrastiveDivergence(machine, settings, batch_size=10, seed=5, threads=1)
    dense = DenseDivergence(machine, settings, 10, seed=5)
    X = rng.random((64, 40))
    for start in (0, 10, 20, 30, 40, 50, 60):  # the last batch has four samples
        rows = np.arange(start, min(64, start + 10))
        learner.update(as_matrix(X), rows)
        dense.update(X[rows])
    np.testing.assert_allclose(machine.layer.weight.toarray(), dense.W, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(machine.layer.bias, dense.b, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(machine.visible_bias, dense.c, rtol=1e-9, atol=1e-11)
    if settings.persistent:
        np.testing.assert_array_equal(learner.chains, dense.chains)


def test_float32_agrees_for_a_while(rng):
    machine = reference.small_machine(40, 25, scale=0.3, density=0.3, dtype="float32")
    learner = ContrastiveDivergence(machine, CASES[0], batch_size=10, seed=5, threads=1)
    dense = DenseDivergence(machine, CASES[0], 10, seed=5)
    X = rng.random((10, 40)).astype(np.float32)
    learner.update(as_matrix(X), np.arange(10))
    dense.update(X)
    np.testing.assert_allclose(machine.layer.weight.toarray(), dense.W, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_batch_of_several_tiles_is_their_sum(rng, momentum):
    """Tiles have random numbers of their own, so the sum is taken of the tiles' gradients."""
    machine = reference.small_machine(400, 300, scale=0.05, density=0.02)
    width, X = machine.width, rng.random((300, 400))
    assert width < 300
    settings = DivergenceSettings(0.1, momentum=momentum)
    learner = ContrastiveDivergence(machine, settings, batch_size=300, seed=0, threads=1)
    before = reference.dense(machine)
    tiles, key, n = [slice(0, width), slice(width, 2 * width), slice(2 * width, 300)], stream_key(0, "gibbs", 0), 300
    there = before[0] != 0
    gains = [np.zeros_like(a) for a in before]
    for number, tile in enumerate(tiles):
        v0 = X[tile].T
        h0 = drawn(reference.sigmoid(before[0] @ v0 + before[1][:, None]), next_key(key, 3 * number))
        v = reference.sigmoid(before[0].T @ h0 + before[2][:, None])
        h = drawn(reference.sigmoid(before[0] @ v + before[1][:, None]), next_key(key, 3 * number + 1))
        parts = there * (h0 @ v0.T - h @ v.T), (h0 - h).sum(axis=1), (v0 - v).sum(axis=1)
        gains = [gain + part for gain, part in zip(gains, parts, strict=True)]
    learner.update(as_matrix(X), np.arange(n))
    for after, old, gain in zip(reference.dense(machine), before, gains, strict=True):
        np.testing.assert_allclose(after, old + 0.1 / n * gain, rtol=1e-9, atol=1e-12)


def test_gradient_is_what_an_update_descends(rng):
    machine = reference.small_machine(20, 10)
    learner = ContrastiveDivergence(machine, DivergenceSettings(0.1), batch_size=8, seed=0, threads=1)
    X = as_matrix(rng.random((8, 20)))
    weight, bias, visible = learner.gradient(X, np.arange(8))
    before = machine.layer.values.copy(), machine.layer.bias.copy(), machine.visible_bias.copy()
    learner.update(X, np.arange(8))
    after = machine.layer.values, machine.layer.bias, machine.visible_bias
    for new, old, gradient in zip(after, before, (weight, bias, visible), strict=True):
        np.testing.assert_allclose(new, old - 0.1 / 8 * gradient, rtol=1e-12)


def test_many_steps_follow_the_gradient_of_the_likelihood():
    """With chains from the model's own distribution, the expected step is the exact gradient of the log-likelihood."""
    machine = reference.small_machine(5, 4, scale=0.7)
    V = reference.states(5)
    log_p = -reference.free_energy(machine, V)
    p = np.exp(log_p - np.logaddexp.reduce(log_p))
    W, b, _ = reference.dense(machine)
    X = V[np.random.default_rng(0).integers(len(V), size=4)]
    conditional = reference.sigmoid(V @ W.T + b)
    model = np.einsum("n,nh,nv->hv", p, conditional, V)
    data = np.einsum("nh,nv->hv", reference.sigmoid(X @ W.T + b), X) / 4
    learner = ContrastiveDivergence(
        machine, DivergenceSettings(0.1, k=20, persistent=True), batch_size=400, seed=0, threads=1
    )
    rows, total = np.tile(np.arange(4), 100), 0
    for count in range(60):
        learner.n_updates = count  # the chains go on with new numbers, the machine stays
        phases = learner._run(as_matrix(X), rows, slice(0, 400), stream_key(0, "gibbs", count), 0)
        if count >= 10:
            total += machine.layer.gradients(phases.hidden, phases.visible, None, 1)[0] / 400 / 50
    wanted = machine.layer.weight.copy()
    wanted.data[:] = (data - model)[machine.layer.weight.nonzero()]
    found = machine.layer.to_csr(machine.layer.in_order(-total))
    assert np.abs(found - wanted).max() < 0.015


@pytest.mark.parametrize("settings", [CASES[1], CASES[4]], ids=str)
def test_threads_change_nothing(rng, settings):
    X, found = as_matrix(rng.random((900, 600)).astype(np.float32)), []
    for threads in (1, 3):
        machine = reference.small_machine(600, 500, scale=0.05, density=0.1, dtype="float32")
        learner = ContrastiveDivergence(machine, settings, batch_size=300, seed=2, threads=threads)
        for start in (0, 300, 600):
            learner.update(X, np.arange(start, start + 300))
        found.append((machine.layer.values, machine.layer.bias, machine.visible_bias, learner.taken_error()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("settings", [CASES[1], CASES[4]], ids=str)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_and_pickles_go_on_alike(rng, settings, copied):
    machine = reference.small_machine(40, 25)
    learner = ContrastiveDivergence(machine, settings, batch_size=10, seed=2, threads=1)
    X = as_matrix(rng.random((30, 40)))
    learner.update(X, np.arange(10))
    twin = copied(learner)
    for each in (learner, twin):
        each.update(X, np.arange(10, 20))
        each.update(X, np.arange(20, 26))
    assert twin.machine is not machine
    np.testing.assert_array_equal(twin.machine.layer.values, machine.layer.values)
    np.testing.assert_array_equal(twin.machine.visible_bias, machine.visible_bias)


def test_sparse_samples_give_the_same(rng):
    X, found = (rng.random((20, 40)) < 0.1).astype(np.float64), []
    for samples in (X, sp.csr_array(X)):
        machine = reference.small_machine(40, 25)
        learner = ContrastiveDivergence(machine, CASES[0], batch_size=10, seed=2, threads=1)
        learner.update(as_matrix(samples), np.arange(10))
        found.append(machine.layer.values)
    np.testing.assert_array_equal(*found)


def test_evolution_by_the_gradient_grows_where_it_is_large(rng):
    """RigL's connections are those of the largest gradient of contrastive divergence among the empty ones."""
    machine = reference.small_machine(40, 25, scale=0.3, density=0.2)
    learner = ContrastiveDivergence(machine, CASES[0], batch_size=10, seed=5, threads=1)
    dense, X = DenseDivergence(machine, CASES[0], 10, seed=5), rng.random((10, 40))
    h0, v, h = dense.phases(X.T)
    gradient = np.abs(h0 @ X - h @ v.T)
    before = machine.layer.weight.toarray() != 0
    step = ts.RigL(0.3).start([machine.layer], [learner.state], key=0, threads=1)
    learner.evolve(step, as_matrix(X), np.arange(10))
    after = machine.layer.weight
    after.data[:] = 1
    grown = (after.toarray() != 0) & ~before
    assert machine.layer.n_connections == before.sum()
    assert grown.sum() > 20
    assert gradient[grown].min() >= np.sort(gradient[~before])[-grown.sum()] - 1e-9


def test_error_is_that_of_the_reconstruction(rng):
    machine = reference.small_machine(40, 25)
    learner = ContrastiveDivergence(machine, CASES[0], batch_size=10, seed=5, threads=1)
    dense, X = DenseDivergence(machine, CASES[0], 10, seed=5), rng.random((10, 40))
    wanted = np.square(dense.phases(X.T)[1] - X.T).sum()
    learner.update(as_matrix(X), np.arange(10))
    assert learner.taken_error() == pytest.approx(wanted)
    assert learner.taken_error() == 0
