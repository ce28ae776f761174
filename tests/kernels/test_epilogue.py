"""GELU and SiLU of the kernels: values and derivatives against SciPy in float64, and the pre-activations they keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from trulysparse._kernels import Activation
from trulysparse.connectivity import Connectivity
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.layers.indexed import IndexedLayer

KINDS = {Activation.GELU: (Activation.GELU, 0.0), Activation.SILU: (Activation.SILU, 0.0)}


def value(kind, z):
    return z * (ndtr(z) if kind == Activation.GELU else expit(z))


def derivative(kind, z):
    if kind == Activation.GELU:
        return ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return expit(z) + z * expit(z) * expit(-z)


def through_the_identity(z, kind):
    """(values, derivatives, pre-activations) of a layer that passes z on, connection by connection."""
    n = len(z)
    eye = np.arange(n + 1), np.arange(n, dtype=np.int32)
    con, _ = Connectivity.from_outputs(n, n, *eye, 1)
    layer = IndexedLayer(con, np.ones(n, z.dtype), np.zeros(n, z.dtype), KINDS[kind])
    y = Activations(np.empty_like(z), KINDS[kind], pre_activation=np.empty_like(z))
    layer.forward(Activations(z), y, 0, 1)
    values, pre_activation = y.values.copy(), y.pre_activation.copy()
    layer.gradients(np.ones_like(z), y, y.values, 1)
    return values, y.values, pre_activation


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stride", [1, 2, 8, 16, 48])
def test_values_and_derivatives_are_those_of_the_formula(isa, kind, dtype, stride):
    z = np.linspace(-30, 30, 48 * 2000).astype(dtype).reshape(-1, stride)
    values, derivatives, pre_activation = through_the_identity(z, kind)
    np.testing.assert_array_equal(pre_activation, z)
    wide = z.astype(np.float64)
    tolerance = 2.5e-7 if dtype is np.float32 else 1e-14
    for found, wanted in ((values, value(kind, wide)), (derivatives, derivative(kind, wide))):
        error = np.abs(found - wanted)
        assert np.minimum(error, error / np.maximum(np.abs(wanted), 1e-300)).max() < tolerance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out_and_not_finite(isa, kind, dtype):
    z = np.array([[0.0, 1e-30, -1e-30, 40, -40, 200, -200, 1e30, -1e30, np.inf, np.nan, -13, 13, -90, 90, -0.0]], dtype)
    values, derivatives, _ = through_the_identity(z, kind)
    z = z[0].astype(np.float64)
    finite = np.isfinite(z)
    np.testing.assert_allclose(values[0, finite], value(kind, z[finite]), rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(derivatives[0, finite], derivative(kind, z[finite]), rtol=1e-6, atol=1e-30)
    assert values[0, 9] == np.inf
    assert np.isnan(values[0, 10])
    assert np.isnan(derivatives[0, 10])


@pytest.mark.parametrize("kind", KINDS)
def test_derivative_without_pre_activations_is_refused(kind):
    con, _ = Connectivity.from_outputs(2, 2, np.arange(3), np.arange(2, dtype=np.int32), 1)
    layer = IndexedLayer(con, np.ones(2), np.zeros(2), (0, 0.0))
    x, dy = Activations(np.ones((2, 8)), KINDS[kind]), np.ones((2, 8))
    with pytest.raises(ValueError, match="pre-activations are missing"):
        layer.gradients(dy, x, x.values, 1)
    layer.gradients(dy, x, None, 1)
    x.pre_activation = np.ones((2, 16))
    with pytest.raises(ValueError, match="pre_activation is 2 x 16, not 2 x 8"):
        layer.gradients(dy, x, np.empty((2, 8)), 1)
