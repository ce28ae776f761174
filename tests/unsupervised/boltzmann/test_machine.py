from __future__ import annotations

import numpy as np
import pytest

import boltzmann_reference as reference
from trulysparse.data import as_matrix
from trulysparse.errors import InputError
from trulysparse.unsupervised.boltzmann.machine import INIT, BoltzmannMachine, next_key


def test_weights_start_as_published():
    machine = BoltzmannMachine.draw(1024, 200, epsilon=10, seed=0, threads=1)
    values = machine.layer.values
    assert machine.layer.n_connections == 12240
    assert values.std() == pytest.approx(0.05, rel=0.02)
    assert abs(values.mean()) < 0.002
    assert np.abs(values).max() > 0.15  # normal, not uniform
    assert not machine.layer.bias.any()
    assert not machine.visible_bias.any()
    assert INIT.scale(machine.layer.connectivity, machine.layer.activation).of(3) == 0.05


def test_bad_sparsity_is_refused():
    with pytest.raises(InputError, match="density must lie in"):
        BoltzmannMachine.draw(4, 3, density=1.5)
    with pytest.raises(InputError, match="layer_sizes"):
        BoltzmannMachine.draw(4, 0, epsilon=3)


@pytest.mark.parametrize("n", [1, 3, 10, 40])
def test_means_of_both_sides(rng, n):
    machine = reference.small_machine(9, 7)
    W, b, c = reference.dense(machine)
    v, h = machine.columns(n)
    X = rng.random((n, 9))
    v.values[:, :n] = X.T
    machine.hidden_given(v, h, n, None, 1)
    np.testing.assert_allclose(h.values[:, :n].T, reference.sigmoid(X @ W.T + b), rtol=1e-10)
    assert not h.values[:, n:].any()
    H = rng.random((n, 7))
    h.values[:, :n] = H.T
    machine.visible_given(h, v, n, None, 1)
    np.testing.assert_allclose(v.values[:, :n].T, reference.sigmoid(H @ W + c), rtol=1e-10)
    machine.visible = "gaussian"
    machine.visible_given(h, v, n, None, 1)
    np.testing.assert_allclose(v.values[:, :n].T, H @ W + c, rtol=1e-10)


def test_gaussian_states_have_variance_one(rng):
    machine = reference.small_machine(9, 7, visible="gaussian")
    v, h = machine.columns(1024)
    h.values[:] = 1
    machine.visible_given(h, v, 1024, None, 1)
    means = v.values.copy()
    machine.visible_given(h, v, 1024, 5, 1)
    assert (v.values - means).std() == pytest.approx(1, abs=0.03)
    assert abs((v.values - means).mean()) < 0.03


def test_tiles_cover_all_samples(rng):
    machine = reference.small_machine(9, 7)
    X = rng.random((2500, 9))
    seen = np.concatenate([v.values[:, : s.stop - s.start].T.copy() for s, v, _ in machine.tiles(as_matrix(X), 1)])
    np.testing.assert_array_equal(seen, X)
    H = rng.random((2500, 7))
    seen = np.concatenate([h.values[:, : s.stop - s.start].T.copy() for s, _, h in machine.value_tiles(H, 1)])
    np.testing.assert_array_equal(seen, H)


def test_keys_stay_within_64_bits():
    assert next_key(2**64 - 1, 2) == 1
