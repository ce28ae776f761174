"""Bytes that are foreseen against those that arrays take."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.nn import memory_use


def test_memory_estimate_is_near_the_truth():
    """Arrays of the finished network against the estimate, which adds scratch for building."""
    net = ts.SparseMLP((5000, 20_000, 20_000, 10), epsilon=10)
    held = 0
    for layer in net.layers:
        con = layer.connectivity
        held += sum(
            a.nbytes
            for a in (
                con.by_input.ptr,
                con.by_input.index,
                con.by_output.ptr,
                con.by_output.index,
                con.position,
                layer.values,
                layer.bias,
            )
        )
    estimate = memory_use.network_bytes(
        net.layer_sizes, [layer.n_connections for layer in net.layers], net.storage_config
    )
    largest = max(layer.n_connections for layer in net.layers)
    assert estimate - memory_use.BUILD_BYTES * largest == pytest.approx(held, rel=0.01)
