"""Updates of layers from arrays of gradients."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [
    ts.SGD(0.1, 0), ts.SGD(0.1, 0.9, weight_decay=0.01), ts.SGD(0.1, 0.9, nesterov=True), ts.Adam(0.01)])  # fmt: skip
def test_update_from_arrays_equals_the_fused_update(isa, rng, dtype, optimizer):
    X, y = rng.standard_normal((24, 30)), rng.integers(0, 4, 24)
    fused, arrays = (ts.SparseMLP((30, 40, 4), epsilon=4, seed=1, dtype=dtype) for _ in range(2))
    a, b = ts.Trainer(fused, optimizer=optimizer), ts.Trainer(arrays, optimizer=optimizer)
    for step in range(3):
        a.step(X, y)
        rule = optimizer.rule(step, 0, None)
        for layer, optimizer_state, (weight, bias) in zip(
            arrays.layers, b.optimizer_state, b.gradients(X, y)[1], strict=True
        ):
            along = np.empty_like(layer.values)
            along[layer.connectivity.position] = weight.data
            # In two parts that sum to the gradient.
            layer.update([(along, bias, 0.25), (3 * along, 3 * bias, 0.25)], optimizer_state, rule, 2)
    for one, other, s, t in zip(fused.layers, arrays.layers, a.optimizer_state, b.optimizer_state, strict=True):
        rtol = 1e-5 if dtype == "float64" else 2e-2
        scale = 1e-9 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(one.values, other.values, rtol=rtol, atol=scale)
        np.testing.assert_allclose(one.bias, other.bias, rtol=rtol, atol=scale)
        for x, z in zip(s.weight, t.weight, strict=True):
            np.testing.assert_allclose(x, z, rtol=rtol, atol=scale)
