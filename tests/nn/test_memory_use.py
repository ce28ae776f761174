"""Bytes that are foreseen against those that arrays take."""

from __future__ import annotations

import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse.nn import memory_use


@pytest.mark.parametrize("skip", [False, True])
def test_memory_estimate_is_near_the_truth(skip):
    """Arrays of the finished network against the estimate, which adds scratch for building."""
    net = ts.SparseMLP((5000, 20_000, 20_000, 10), epsilon=10, skip=skip)
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


@pytest.mark.parametrize("storage", ["indexed", "compact"])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("optimizer", [ts.SGD(0.1, 0.0), ts.SGD(0.1), ts.Adam()])
@pytest.mark.parametrize("activation", ["relu", "gelu", Softsign()])
def test_training_estimate_is_what_the_arrays_take(storage, every, optimizer, activation):
    skip = every == 3
    net = ts.SparseMLP((100, 300, 200, 150, 10), epsilon=4, storage=storage, activation=activation, skip=skip)
    parts = memory_use.training_parts(
        net.layer_sizes,
        net.n_connections,
        64,
        optimizer.n_slots,
        net.storage_config,
        every=every,
        pre_activations=net.keeps_pre_activations,
    )
    signals = net.workspace(every).signals(64, 1.0)
    assert (activation != "relu") == net.keeps_pre_activations
    assert [x.pre_activation is not None for x in signals[1:-1]] == [net.keeps_pre_activations] * 3

    def taken(arrays):
        """Bytes of arrays, of which some share memory."""
        bytes_at = {}
        for array in arrays:
            bytes_at[array.ctypes.data] = max(bytes_at.get(array.ctypes.data, 0), array.nbytes)
        return sum(bytes_at.values())

    states = [layer.new_state(optimizer) for layer in net.layers]
    assert parts["activations"] == taken(x.values for x in signals)
    kept = taken(x.pre_activation for x in signals if x.pre_activation is not None)
    assert parts.get("pre-activations", 0) == kept
    if activation == "relu":
        assert parts["activation bits"] == sum(x.sign_bits.nbytes for x in signals if x.sign_bits is not None)
    assert parts["optimizer state"] == sum(a.nbytes for state in states for a in state.weight + state.bias)


def test_compact_estimate_is_near_the_truth():
    kind = {"storage": "compact", "weights": "bfloat16", "signals": "bfloat16"}
    net = ts.SparseMLP((5000, 20_000, 10), epsilon=10, skip=True, **kind)
    taken = sum(a.nbytes for x in net.layers for a in (x.connectivity.ptr, x.connectivity.packed, x.values, x.bias))
    parts = memory_use.network_parts(net.layer_sizes, [x.n_connections for x in net.layers], net.storage_config)
    assert sum(parts.values()) - parts["scratch"] == pytest.approx(taken, rel=0.001)
