"""Running mean and variance against those of all observations at once, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.rl.normalization import FARTHEST, RunningNormalization


def fed(X, sizes):
    normalization = RunningNormalization(X.shape[1])
    for rows in np.split(X, np.cumsum(sizes)[:-1]):
        normalization.update(rows)
    return normalization


@pytest.mark.parametrize("size", [1, 2, 7, 500])
def test_as_of_all_observations_at_once(size):
    rng = np.random.default_rng(size)
    X = (rng.standard_normal((1000, 4)) * [1e-3, 1, 50, 1] + [1, 0, -20, 1e6]).astype(np.float32)
    sizes = [size] * (1000 // size) + [1000 % size] * (1000 % size > 0)
    normalization = fed(X, sizes)
    exact = X.astype(np.float64)
    np.testing.assert_allclose(normalization.offset, exact.mean(axis=0), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(normalization.factor, 1 / exact.std(axis=0), rtol=1e-7)
    assert normalization.count == 1000


def test_uneven_batches_and_empty_ones():
    X = np.random.default_rng(3).uniform(-2, 5, (60, 3)).astype(np.float32)
    normalization = fed(X, [1, 0, 9, 1, 1, 28, 20])
    np.testing.assert_allclose(normalization.factor, 1 / X.astype(np.float64).std(axis=0), rtol=1e-12)


def test_the_kernel_takes_offset_and_factor():
    X = np.random.default_rng(4).normal(3, 2, (64, 5)).astype(np.float32)
    normalization = fed(X, [64])
    out = np.zeros((5, 64), np.float32)
    _kernels.load_dense(X, np.arange(64), normalization.offset, normalization.factor, out, 1)
    np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("sizes", [[1] * 50, [50], [20, 30]])
def test_what_never_changes_becomes_0(sizes):
    X = np.full((50, 1), 0.1, np.float32)
    normalization = fed(X, sizes)
    assert normalization.factor[0] == 0
    assert normalization.offset[0] == X[0, 0]


def test_rare_large_values_stay_within_reach():
    X = np.zeros((5000, 2), np.float32)
    X[:, 1] = np.random.default_rng(5).standard_normal(5000)
    X[-1, 0] = 1000.0  # at 70 standard deviations
    normalization = fed(X, [1] * 5000)
    normalized = (X - normalization.offset) * normalization.factor
    assert normalized[-1, 0] == pytest.approx(FARTHEST)
    assert np.abs(normalized).max() <= FARTHEST + 1e-9
    np.testing.assert_allclose(normalized[:, 1].std(), 1, rtol=1e-6)


def test_before_the_first_observation_nothing_changes():
    normalization = RunningNormalization(3)
    assert normalization.offset.tolist() == [0, 0, 0]
    assert normalization.factor.tolist() == [1, 1, 1]


def test_goes_on_with_the_same_bits():
    X = np.random.default_rng(6).standard_normal((100, 3)).astype(np.float32)
    whole, half, other = fed(X, [1] * 100), fed(X[:50], [1] * 50), RunningNormalization(3)
    other.restore(half.state())
    half.update(X[50:])  # the state was a copy
    for row in X[50:]:
        other.update(row[None])
    for name, array in whole.state().items():
        np.testing.assert_array_equal(other.state()[name], array)


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 4)])
def test_other_shapes_are_refused(shape):
    normalization = RunningNormalization(3)
    with pytest.raises(ts.InputError, match=r"observations must be of shape \(n, 3\)"):
        normalization.update(np.zeros(shape, np.float32))
    assert normalization.count == 0


def test_other_states_are_refused():
    normalization = fed(np.ones((2, 3), np.float32), [2])
    for wrong in ({}, normalization.state() | {"mean": np.zeros(2)}, RunningNormalization(4).state()):
        with pytest.raises(ts.InputError, match=r"state: '\w+' must be \w+ of shape"):
            normalization.restore(wrong)
    assert normalization.count == 2
    with pytest.raises(ts.InputError, match="n_features must be at least 1"):
        RunningNormalization(0)
