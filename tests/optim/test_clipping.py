"""Gradient norms against NumPy in float64, and the factor of clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import DivergenceError
from trulysparse.optim.clipping import clip_blocks, clip_factor, global_norm

SIZES = (0, 1, 15, 16, 17, 2**14 - 1, 2**14 + 3, 300_001)  # around lanes and blocks of the kernel; more than one thread


def reference(gradients):
    return math.sqrt(math.fsum(float(x) ** 2 for pair in gradients for part in pair for x in part))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_norm_is_that_of_numpy_in_float64(rng, dtype, size):
    gradients = [(rng.normal(size=size).astype(dtype), rng.normal(size=5).astype(dtype)) for _ in range(2)]
    assert global_norm(gradients) == pytest.approx(reference(gradients), rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norm_has_the_same_bits_for_any_number_of_threads(rng, dtype):
    gradients = [(rng.normal(size=700_001).astype(dtype), rng.normal(size=9).astype(dtype))]
    assert len({global_norm(gradients, threads).hex() for threads in (1, 2, 3, 7)}) == 1


def test_norm_of_float32_does_not_overflow_where_its_square_would():
    assert global_norm([(np.array([3e30, 4e30], np.float32), np.zeros(0, np.float32))]) == pytest.approx(5e30, rel=1e-6)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_norm_of_a_network_is_that_of_its_gradients(rng, storage):
    net = ts.SparseMLP((6, 12, 3), epsilon=3, seed=0, storage=storage)
    X, y = rng.normal(size=(9, 6)), rng.integers(0, 3, 9)
    _, gradients = ts.Trainer(net).gradients(X, y)
    arrays = [(weight.data, bias) for weight, bias in gradients]
    whole = np.concatenate([part.astype(np.float64) for pair in arrays for part in pair])
    assert global_norm(arrays, 2) == pytest.approx(np.linalg.norm(whole), rel=1e-12)


def test_norm_of_nothing_is_zero():
    assert global_norm([]) == global_norm([(np.zeros(3), np.zeros(0))]) == 0.0


def test_clip_factor_brings_larger_norms_to_the_limit_and_leaves_others():
    assert clip_factor(8.0, 2.0) == 0.25
    assert clip_factor(2.0, 2.0) == clip_factor(0.0, 2.0) == clip_factor(1.9, 2.0) == 1.0
    assert clip_factor(np.nextafter(2.0, 3), 2.0) < 1


@pytest.mark.parametrize("norm", [math.inf, math.nan])
def test_clip_factor_of_a_norm_that_is_not_finite_is_refused(norm):
    with pytest.raises(ts.DivergenceError, match=f"norm is {norm}"):
        clip_factor(norm, 1.0)


def test_clipped_gradient_has_the_norm_asked_for(rng):
    gradients = [(rng.normal(size=100), rng.normal(size=10))]
    factor = clip_factor(global_norm(gradients), 0.5)
    assert global_norm([(weight * factor, bias * factor) for weight, bias in gradients]) == pytest.approx(0.5)


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipped_gradient_is_that_of_torch(rng, max_norm):
    torch = pytest.importorskip("torch")
    gradient = rng.normal(size=100), rng.normal(size=10)
    factor = clip_factor(global_norm([gradient]), max_norm)
    parameters = [torch.zeros(len(part), requires_grad=True) for part in gradient]
    for parameter, part in zip(parameters, gradient, strict=True):
        parameter.grad = torch.tensor(part, dtype=parameter.dtype)
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    for parameter, part in zip(parameters, gradient, strict=True):
        np.testing.assert_allclose(part * factor, parameter.grad.numpy(), rtol=1e-5)  # torch adds 1e-6 to the norm


def test_blocks_are_clipped_each_by_its_norm(rng):
    blocks = [np.array([0, 3, 3, 7]), np.array([0, 0, 2, 5])]  # two of them have no connection in a layer
    gradients = [
        (rng.standard_normal(ptr[-1]), rng.standard_normal(3 * n)) for ptr, n in zip(blocks, (2, 1), strict=True)
    ]
    before = [(weight.copy(), bias.copy()) for weight, bias in gradients]

    def of(number, arrays):
        parts = []
        for (weight, bias), ptr in zip(arrays, blocks, strict=True):
            parts += [weight[ptr[number] : ptr[number + 1]], bias.reshape(3, -1)[number]]
        return np.concatenate(parts)

    limit = np.sort([np.linalg.norm(of(number, before)) for number in range(3)])[1] * 1.0001
    clip_blocks(gradients, blocks, limit)
    for number in range(3):
        old, new = of(number, before), of(number, gradients)
        np.testing.assert_allclose(new, old * min(1, limit / np.linalg.norm(old)), rtol=1e-12)
    gradients[1][0][-1] = np.inf
    kept = gradients[0][0].copy()
    with pytest.raises(DivergenceError, match="norm is inf"):
        clip_blocks(gradients, blocks, limit)
    np.testing.assert_array_equal(gradients[0][0], kept)
