"""Passes of a layer with an activation of the user's against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import narrowed, random_connectivity
from own_activations import Softsign
from trulysparse._core.arrays import widened
from trulysparse.connectivity import TiledConnectivity
from trulysparse.nn.activations_buffer import Activations, bit_bytes
from trulysparse.nn.layers import function_pass
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tiled import TiledLayer

N_IN, N, N_OUT = 30, 200, 20


def layer_of(form, rng, n_in, n_out, activation=(0, 0.0)):
    if form == "float64":
        con = random_connectivity(rng, n_in, n_out, 0.2)
        return IndexedLayer(con, rng.normal(size=con.n_connections), rng.normal(size=n_out), activation)
    con = TiledConnectivity.draw(n_in, n_out, n_in * n_out // 5, seed=1, threads=1)
    return TiledLayer(con, *(held(rng.normal(size=n), form) for n in (con.n_connections, n_out)), activation)


def held(values, form):
    return narrowed(values) if form == "bfloat16" else values.astype(form)


def signal(form, stride, activation, keep):
    tiled = form != "float64"
    bits = np.zeros(bit_bytes(N, stride, tiled), np.uint8) if keep < 1 else None
    values = [held(np.full((N, stride), 7.0), form) for _ in range(2)]
    return Activations(values[0], activation, None, bits, keep, values[1])


@pytest.mark.parametrize("block", [16, 1 << 16])
@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 48, 128])
@pytest.mark.parametrize("form", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("keep", [1.0, 0.6])
def test_both_passes_follow_the_definition_whatever_the_blocks(rng, monkeypatch, form, stride, keep, block):
    monkeypatch.setattr(function_pass, "_BLOCK", block * stride)
    below, above = layer_of(form, rng, N_IN, N, Softsign()), layer_of(form, rng, N, N_OUT)
    x, y = Activations(held(rng.normal(size=(N_IN, stride)), form)), signal(form, stride, Softsign(), keep)
    below.forward(x, y, 99, 2)
    weight, bias = below.weight.astype(np.float64), widened(below.bias).astype(np.float64)
    z = weight @ widened(x.values).astype(np.float64) + bias[:, None]
    # The identity with the same key: its zeros are those of dropout.
    plain = signal(form, stride, (0, 0.0), keep)
    below.forward(x, plain, 99, 1)
    kept = widened(plain.values) != 0
    tolerance = {"float64": 1e-11, "float32": 1e-4, "bfloat16": 2e-2}[form]
    np.testing.assert_allclose(widened(y.pre_activation), z, rtol=tolerance, atol=tolerance)
    wanted = np.where(kept, Softsign().forward(z) / keep, 0)
    np.testing.assert_allclose(widened(y.values), wanted, rtol=tolerance, atol=tolerance)
    if keep < 1:
        np.testing.assert_array_equal(y.dropout_bits, plain.dropout_bits)
    assert kept.mean() == pytest.approx(keep, abs=0.15 if stride == 1 else 0.1)

    dy = held(rng.normal(size=(N_OUT, stride)), form)
    wide = above.weight.astype(np.float64).T @ widened(dy).astype(np.float64)
    above.gradients(dy, y, y.values, 2)
    wanted = np.where(kept, wide * Softsign().derivative(z) / keep, 0)
    np.testing.assert_allclose(widened(y.values), wanted, rtol=tolerance, atol=4 * tolerance)


def test_without_pre_activations_the_values_are_the_same(rng):
    """As in predictions."""
    below = layer_of("bfloat16", rng, N_IN, N, Softsign())
    x, y = Activations(held(rng.normal(size=(N_IN, 16)), "bfloat16")), signal("bfloat16", 16, Softsign(), 1.0)
    below.forward(x, y, 0, 1)
    bare = Activations(np.empty_like(y.values), Softsign())
    below.forward(x, bare, 0, 1)
    np.testing.assert_array_equal(bare.values, y.values)
