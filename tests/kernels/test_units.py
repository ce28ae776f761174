"""Kernels of a restricted Boltzmann machine's units, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from conftest import random_connectivity
from trulysparse import _kernels

STRIDES = [1, 2, 4, 8, 16, 48]


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_are_logistic_and_padding_is_zero(rng, isa, dtype, stride):
    z, bias = rng.normal(0, 4, (37, stride)).astype(dtype), rng.normal(0, 1, 37).astype(dtype)
    for batch in {stride, max(1, stride - 3), 1, 0}:
        values = z.copy()
        _kernels.draw_units(values, bias, batch, True, False, 0, 1)
        wanted = sigmoid(z.astype(np.float64) + bias[:, None])
        np.testing.assert_allclose(values[:, :batch], wanted[:, :batch], rtol=2e-6, atol=1e-7)
        assert not values[:, batch:].any()


def test_without_the_logistic_function_the_bias_is_added(rng, isa):
    z, bias = rng.normal(0, 4, (5, 16)), rng.normal(0, 1, 5)
    values = z.copy()
    _kernels.draw_units(values, bias, 11, False, False, 0, 1)
    np.testing.assert_array_equal(values[:, :11], (z + bias[:, None])[:, :11])


def test_extreme_sums_give_certain_states(isa):
    values = np.repeat(np.array([[-1e4], [-200.0], [200.0], [1e4]], np.float32), 16, axis=1)
    _kernels.draw_units(values, None, 16, True, True, 7, 1)
    assert values.tolist() == [[0.0] * 16] * 2 + [[1.0] * 16] * 2


@pytest.mark.parametrize("stride", [4, 16, 48])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_are_drawn_by_their_probability(rng, isa, dtype, stride):
    p = np.repeat(np.linspace(0, 1, 11), 400)[:, None]
    values = np.repeat(p, stride, axis=1).astype(dtype)
    _kernels.draw_units(values, None, stride, False, True, 11, 2)
    assert set(np.unique(values)) <= {0.0, 1.0}
    counts = values.reshape(11, -1).sum(axis=1)
    n = 400 * stride
    assert counts[0] == 0
    assert counts[-1] == n
    assert all(
        stats.binomtest(int(c), n, q).pvalue > 1e-4 for c, q in zip(counts[1:-1], p[::400, 0][1:-1], strict=True)
    )


def test_states_depend_on_key_and_position_alone(rng, isa):
    def drawn(key, rows=6000, threads=1, stride=16):
        values = np.full((rows, stride), 0.5, np.float32)
        _kernels.draw_units(values, None, stride, False, True, key, threads)
        return values

    first = drawn(3)
    np.testing.assert_array_equal(first, drawn(3, threads=3))
    np.testing.assert_array_equal(first[:100], drawn(3, rows=100))
    np.testing.assert_array_equal(first[:, :8], drawn(3, stride=8))
    assert abs((first == drawn(4)).mean() - 0.5) < 0.01
    # Neighbours are independent, along rows and columns.
    assert abs((first[1:] == first[:-1]).mean() - 0.5) < 0.01
    assert abs((first[:, 1:] == first[:, :-1]).mean() - 0.5) < 0.01


def test_every_instruction_set_draws_the_same(rng):
    before, found = _kernels.current_isa(), []
    for name in _kernels.available_isas():
        _kernels.use_isa(name)
        values = np.repeat(np.linspace(0, 1, 500, dtype=np.float32)[:, None], 16, axis=1)
        _kernels.draw_units(values, None, 13, False, True, 5, 1)
        found.append(values)
    _kernels.use_isa(before)
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_phases_lie_side_by_side(rng, isa, dtype, stride):
    first, second = (rng.normal(size=(23, stride)).astype(dtype) for _ in range(2))
    joined, difference, error = np.empty((23, 2 * stride), dtype), np.empty(23, dtype), np.ones(23, dtype)
    _kernels.join_phases(first, second, joined, -1.0, difference, error, 2)
    np.testing.assert_array_equal(joined, np.hstack([-first, second]))
    np.testing.assert_allclose(difference, (second - first).sum(axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(error, 1 + np.square(second - first).sum(axis=1), rtol=1e-5)
    _kernels.join_phases(first, second, joined, 1.0, None, None, 1)
    np.testing.assert_array_equal(joined, np.hstack([first, second]))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flip_gains_are_differences_of_free_energies(rng, isa, dtype, stride):
    con = random_connectivity(rng, 12, 9, 0.4)
    weight = rng.normal(0, 3, con.n_connections).astype(dtype)
    W = np.zeros((12, 9))
    W[np.repeat(np.arange(12), np.diff(con.by_input.ptr)), con.by_input.index] = weight
    b, c = rng.normal(size=9), rng.normal(size=12).astype(dtype)
    v = rng.random((12, stride)).round(1)

    def energy(v):
        return -(c.astype(np.float64) @ v) - np.logaddexp(0, W.T @ v + b[:, None]).sum(axis=0)

    gains = np.empty((12, stride), dtype)
    hidden = (W.T @ v + b[:, None]).astype(dtype)
    rows = con.by_input
    _kernels.flip_gains(rows.ptr, rows.index, weight, c, v.astype(dtype), hidden, gains, 2)
    for unit in range(12):
        other = v.copy()
        other[unit] = 1 - other[unit]
        np.testing.assert_allclose(gains[unit], energy(other) - energy(v), rtol=2e-5, atol=3e-6)


def test_softplus_far_out(isa):
    """One connection of weight 0 leaves nothing; of sums of any size the gain is finite."""
    ptr, index = np.array([0, 1]), np.array([0], np.int32)
    hidden = np.array([[-1e4, -100.0, 0.0, 100.0, 1e4, 1.0, 2.0, 3.0]], np.float32)
    gains = np.empty((1, 8), np.float32)
    arrays = np.zeros(1, np.float32), np.zeros((1, 8), np.float32)
    _kernels.flip_gains(ptr, index, np.array([5.0], np.float32), *arrays, hidden, gains, 1)
    wanted = -(np.logaddexp(0, hidden.astype(np.float64) + 5) - np.logaddexp(0, hidden.astype(np.float64)))
    np.testing.assert_allclose(gains, wanted, rtol=1e-5, atol=1e-6)


def test_shapes_are_checked():
    values = np.zeros((4, 8), np.float32)
    with pytest.raises(ValueError, match="fewer columns"):
        _kernels.draw_units(values, None, 9, True, True, 0, 1)
    with pytest.raises(ValueError, match="the stride, 24, is not a padded batch size"):
        _kernels.draw_units(np.zeros((4, 24), np.float32), None, 24, True, True, 1, 1)
    with pytest.raises(ValueError, match="bias has 3 values"):
        _kernels.draw_units(values, np.zeros(3, np.float32), 8, True, True, 0, 1)
    with pytest.raises(ValueError, match="joined is 4 x 8"):
        _kernels.join_phases(values, values, values.copy(), 1.0, None, None, 1)
