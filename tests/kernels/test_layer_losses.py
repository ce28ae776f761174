"""Loss kernels against their definitions in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from trulysparse import _kernels


def weights(rng, batch, stride, dtype):
    share = np.zeros(stride, dtype)
    share[:batch] = rng.random(batch)
    share[:batch] /= share[:batch].sum()
    return share


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [1, 3, 8, 13, 128, 130])
@pytest.mark.parametrize("outputs", [1, 2, 10, 333])
def test_losses_and_gradients(isa, rng, batch, outputs, dtype):
    stride = _kernels.padded_batch(batch)
    share = weights(rng, batch, stride, dtype)
    z = np.zeros((outputs, stride), dtype)
    z[:, :batch] = 5 * rng.standard_normal((outputs, batch))
    wide = z[:, :batch].astype(np.float64)
    tolerance = 1e-4 if dtype is np.float32 else 1e-12

    label = rng.integers(0, outputs, batch).astype(np.int32)
    gradient = z.copy()
    loss = _kernels.loss_and_gradient(0, gradient, batch, label, None, share, 2)
    expected = -(share[:batch] * log_softmax(wide, axis=0)[label, np.arange(batch)]).sum()
    onehot = np.eye(outputs)[label].T
    np.testing.assert_allclose(loss, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        gradient[:, :batch], share[:batch] * (softmax(wide, axis=0) - onehot), rtol=tolerance, atol=tolerance
    )
    assert not gradient[:, batch:].any()

    target = np.zeros_like(z)
    target[:, :batch] = rng.random((outputs, batch))
    t = target[:, :batch].astype(np.float64)
    error = np.abs(wide - t)
    for kind, value, slope in (
        (1, np.logaddexp(0, wide) - t * wide, expit(wide) - t),
        (2, (wide - t) ** 2, 2 * (wide - t)),
        (3, np.where(error <= 1.5, error**2 / 2, 1.5 * (error - 0.75)), np.clip(wide - t, -1.5, 1.5)),
    ):
        gradient = z.copy()
        loss = _kernels.loss_and_gradient(kind, gradient, batch, None, target, share, 2, 1.5)
        np.testing.assert_allclose(loss, (share[:batch] * value).sum() / outputs, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(gradient[:, :batch], share[:batch] * slope / outputs, rtol=tolerance, atol=tolerance)
        assert not gradient[:, batch:].any()


def test_extreme_values_stay_finite(isa):
    z = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], np.float32)
    share = np.array([0.5, 0.5], np.float32)
    loss = _kernels.loss_and_gradient(0, z, 2, np.array([1, 0], np.int32), None, share, 1)
    assert loss == pytest.approx(2000.0)
    assert np.isfinite(z).all()
    big = np.array([[1e4, -1e4, 0.0, 88.0]], np.float32)
    _kernels.sigmoid(big, 1)
    np.testing.assert_allclose(big, [[1, 0, 0.5, 1]], atol=1e-30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_sigmoid(isa, rng, dtype):
    for outputs, stride in ((1, 1), (3, 4), (10, 128), (1000, 16)):
        z = rng.standard_normal((outputs, stride)).astype(dtype) * 20
        tolerance = 1e-5 if dtype is np.float32 else 1e-13
        p, q = z.copy(), z.copy()
        _kernels.softmax(p, 2)
        _kernels.sigmoid(q, 2)
        np.testing.assert_allclose(p, softmax(z.astype(np.float64), axis=0), rtol=tolerance, atol=1e-7)
        np.testing.assert_allclose(q, expit(z.astype(np.float64)), rtol=tolerance, atol=1e-7)


def test_label_out_of_range_is_refused():
    with pytest.raises(ValueError, match="label"):
        _kernels.loss_and_gradient(0, np.zeros((3, 1)), 1, np.array([3], np.int32), None, np.ones(1), 1)
