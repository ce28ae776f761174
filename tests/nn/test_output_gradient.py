"""The gradient at a tape's output, laid out tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.output_gradient import OutputGradient


def parts_of(rng, activation="identity", dtype=np.float64):
    """Outputs of 300 samples in three tiles, their spans and memory, and a gradient."""
    widths = [128, 128, 48]
    outputs = [rng.random((3, width)).astype(dtype) for width in widths]
    if activation == "softmax":
        outputs = [values / values.sum(axis=0) for values in outputs]
    buffers = [np.full((3, width), np.nan, dtype) for width in widths]
    spans = [slice(0, 128), slice(128, 256), slice(256, 300)]
    return outputs, spans, [lambda each=each: each for each in buffers], rng.standard_normal((300, 3))


def formula(activation, dY, p):
    if activation == "sigmoid":
        return dY * p * (1 - p)
    if activation == "softmax":
        return p * (dY - (dY * p).sum(axis=1, keepdims=True))
    return dY


@pytest.mark.parametrize("laid_out", [False, True])
@pytest.mark.parametrize("activation", ["identity", "sigmoid", "softmax"])
def test_tiles_are_the_gradient_before_the_activation(rng, activation, laid_out):
    outputs, spans, memory, dY = parts_of(rng, activation)
    given = ts.SparseMLP((3, 800, 3), epsilon=1, dtype="float64").lay_out(dY) if laid_out else dY
    gradient = OutputGradient(given, outputs, spans, memory, activation, 2)
    before = dY.copy()
    for part, (span, values) in enumerate(zip(spans, outputs, strict=True)):
        n = span.stop - span.start
        found = gradient.tile(part)
        np.testing.assert_allclose(found[:, :n].T, formula(activation, dY[span], values[:, :n].T), rtol=1e-12)
        assert not found[:, n:].any()
        assert gradient.tile(part) is found  # several networks ask for the same tile
        np.testing.assert_allclose(found[:, :n].T, formula(activation, dY[span], values[:, :n].T), rtol=1e-12)
    np.testing.assert_array_equal(dY, before)


def test_tiles_that_are_laid_out_already_are_read_in_place(rng):
    outputs, spans, memory, dY = parts_of(rng)
    columns = ts.SparseMLP((3, 800, 3), epsilon=1, dtype="float64").lay_out(dY)
    gradient = OutputGradient(columns, outputs, spans, memory, "identity", 1)
    assert all(gradient.tile(part) is columns.inputs[part].values for part in range(3))


def test_one_gradient_serves_tapes_of_the_same_tiles(rng):
    outputs, spans, memory, dY = parts_of(rng)
    first, second = (OutputGradient(dY, outputs, spans, memory, "identity", 1) for _ in range(2))
    assert first.fits(second)
    assert not first.fits(OutputGradient(dY, outputs, spans, memory, "sigmoid", 1))
    single = [values.astype(np.float32) for values in outputs]
    assert not first.fits(OutputGradient(dY, single, spans, memory, "identity", 1))


def test_a_value_that_is_not_finite_is_found_in_its_tile_or_ahead(rng):
    outputs, spans, memory, dY = parts_of(rng)
    dY[270, 1] = np.inf
    gradient = OutputGradient(dY, outputs, spans, memory, "identity", 1)
    gradient.tile(1)
    for check in (lambda: gradient.tile(2), gradient.check_finite):
        with pytest.raises(ts.InputError, match=r"^dY\[270, 1\] is inf"):
            check()


def test_gradients_to_add_to_are_not_touched_by_a_bad_value_in_a_later_tile(rng):
    net, X, dY = ts.SparseMLP((5, 800, 3), epsilon=2), rng.standard_normal((300, 5)), np.ones((300, 3))
    into = net.forward(X).gradients(dY).parameters
    before = [weight.copy() for weight, _ in into]
    dY[290, 2] = np.nan
    with pytest.raises(ts.InputError, match=r"^dY\[290, 2\] is nan"):
        net.forward(X).gradients(dY, into=into, add=True)
    for (weight, _), kept in zip(into, before, strict=True):
        np.testing.assert_array_equal(weight, kept)
