"""Memory for a batch's activations."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from trulysparse._kernels import Activation
from trulysparse.nn import activations_buffer
from trulysparse.nn.activations import IDENTITY
from trulysparse.nn.activations_buffer import Activations, TrainingWorkspace, bit_bytes, stored_layers

SIZES = (20, 300, 200, 100, 50, 3)


def test_predictions_of_very_wide_networks_come_in_smaller_batches(rng, monkeypatch):
    X = rng.normal(size=(120, 20)).astype(np.float32)
    net = ts.SparseMLP(SIZES, epsilon=3, storage="compact", fan="sparse", seed=1)
    whole = net.decision_function(X)
    monkeypatch.setattr(activations_buffer, "INFERENCE_BYTES", 20_000)
    types = net.activation_types()
    assert activations_buffer.largest_batch(SIZES, types, 256) == 8
    assert activations_buffer.largest_batch((10**9, 10**9), types[:2], 256) == 1
    np.testing.assert_array_equal(net.decision_function(X), whole)


def workspace(**options):
    kinds = [(Activation.LEAKY, 0.5)] * 4 + [IDENTITY]
    return TrainingWorkspace(SIZES, kinds, [np.dtype(np.float32)] * 6, **options)


def test_activations_have_a_row_per_neuron_and_bits_where_derivatives_need_them():
    work = workspace()
    signals = work.signals(13, 0.8)
    assert [x.values.shape[0] for x in signals] == list(SIZES)
    assert all(x.values.shape[1] >= 13 for x in signals)
    assert [x.sign_bits is not None for x in signals] == [False, True, True, True, True, False]
    assert [x.dropout_bits is not None for x in signals] == [False, True, True, True, True, False]
    assert not any(x.dropout_bits is not None for x in work.signals(13, 1.0))


def test_memory_is_used_again_for_batches_that_fit():
    work = workspace()
    large = work.signals(64, 1.0)
    assert work.signals(64, 1.0) is large
    assert all(np.shares_memory(a.values, b.values) for a, b in zip(large, work.signals(8, 1.0), strict=True))
    assert not np.shares_memory(work.signals(128, 1.0)[1].values, large[1].values)


@pytest.mark.parametrize("every", [2, 3])
def test_layers_that_do_not_stay_share_buffers(every):
    signals = workspace(every=every).signals(8, 1.0)
    stay = stored_layers(6, every)
    assert stay == [number % every == 0 or number == 5 for number in range(6)]
    for i in range(6):
        for j in range(i):
            shared = np.shares_memory(signals[i].values, signals[j].values)
            assert shared == (not stay[i] and not stay[j] and i % every == j % every)


@pytest.mark.parametrize("every", [1, 3])
def test_pre_activations_lie_as_the_values(every):
    """Where they are needed: shared by layers that share values, never with another layer's."""
    kinds = [(Activation.GELU, 0.0), (Activation.LEAKY, 0.5), (Activation.SILU, 0.0), Softsign(), IDENTITY]
    signals = TrainingWorkspace(SIZES, kinds, [np.dtype(np.float32)] * 6, every=every).signals(8, 1.0)
    assert [x.pre_activation is not None for x in signals] == [False, True, False, True, True, False]
    needed = [x for x in signals if x.pre_activation is not None]
    for i, a in enumerate(needed):
        assert a.pre_activation.shape == a.values.shape
        assert a.pre_activation.dtype == a.values.dtype
        assert not any(np.shares_memory(a.pre_activation, b.values) for b in signals)
        for b in needed[:i]:
            assert np.shares_memory(a.pre_activation, b.pre_activation) == np.shares_memory(a.values, b.values)


def test_kernels_apply_the_identity_where_the_function_is_the_users():
    x = Activations(np.zeros((2, 8)), Softsign())
    assert (x.kernel, x.function) == (IDENTITY, Softsign())
    y = Activations(np.zeros((2, 8)), (Activation.TANH, 0.0))
    assert (y.kernel, y.function) == ((Activation.TANH, 0.0), None)


@pytest.mark.parametrize("tiled", [False, True])
def test_bit_bytes_are_those_of_the_workspace(tiled):
    signals = workspace(tiled=tiled).signals(24, 0.5)
    stride = signals[0].values.shape[1]
    for n, x in list(zip(SIZES, signals, strict=True))[1:-1]:
        assert x.sign_bits.nbytes == bit_bytes(n, stride, tiled) >= n * stride / 8


def test_prepared_call_is_found_only_for_the_same_arrays():
    x, a, b = Activations(np.zeros((2, 8))), np.zeros(1), np.zeros(1)
    x.store_call("forward", 10, (a,), "call")
    assert x.prepared_call("forward", (a,)) == "call"
    assert x.prepared_call("forward", (b,)) is None
    assert x.prepared_call("backward", (a,)) is None
    assert pickle.loads(pickle.dumps(x)).prepared_call("forward", (a,)) is None
    x.store_call("backward", 10**9, (a,), "call")  # of a layer too large to hold on to its arrays
    assert x.prepared_call("backward", (a,)) is None
