"""Integers of a network: what they stand for, and that no sum can overflow."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from export.random_networks import draw
from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError
from trulysparse.export.calibration import Ranges, calibrate
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.quantize import ONE, quantize

SEEDS = [seed for seed in range(40) if seed % 20 != 7 and seed % 100 != 13]  # without the wide ones


def dense(layer):
    return sp.csr_array((layer.weight.astype(float), layer.index, layer.ptr), shape=(layer.n_out, layer.n_in)).toarray()


@pytest.mark.parametrize("seed", SEEDS)
def test_integers_are_what_was_there_to_half_a_unit(seed):
    case = draw(seed)
    network = DeviceNetwork.of(case.model)
    ranges = calibrate(network, case.X)
    quantized = quantize(network, ranges)
    step = first = (ranges.inputs or 127) / 127
    for number, (layer, made) in enumerate(zip(network.chain, quantized.chain, strict=True)):
        assert_to_half_a_unit(layer, made, step)
        if number < len(ranges.outputs):
            assert 33 <= made.shift <= 62
            factor = made.multiplier * 2.0 ** (15 - made.shift)  # of the sums; what it gives is in the unit of ...
            clip = ranges.outputs[number] if made.table is None else ranges.sums[number]
            after = made.unit / factor
            np.testing.assert_allclose(after, after[0], rtol=1e-12)  # ... one step, for all rows
            assert after[0] >= clip / 127 * (1 - 1e-12)
            if made.table is None:
                np.testing.assert_allclose(after, made.step, rtol=1e-12)
        step = made.step
    target = 1 if network.target_factor is None else network.target_factor.astype(float)
    np.testing.assert_allclose(made.scale, made.unit / target, rtol=1e-7, atol=1.2e-38)
    if network.skip_layer is not None:
        assert np.array_equal(quantized.skip_layer.unit, made.unit)
        assert_to_half_a_unit(network.skip_layer, quantized.skip_layer, first)


def assert_to_half_a_unit(layer, made, step):
    unit = made.unit
    assert np.all(np.abs(dense(made) * unit[:, None] - dense(layer) * step) <= 0.5001 * unit[:, None])
    assert np.all(np.abs(made.bias * unit - layer.bias) <= 0.5001 * unit)


def largest_sums(layers):
    """What the sums of rows can come to, as Python integers."""
    for layer in layers:
        for o in range(layer.n_out):
            weights = layer.weight[layer.ptr[o] : layer.ptr[o + 1]].tolist()
            yield 128 * sum(map(abs, weights)) + abs(int(layer.bias[o]))


@pytest.mark.parametrize(
    ("weight", "bias", "range_"),
    [(1.0, 1e6, 1.0), (1e-6, 1e6, 1e-3), (1.0, 0.0, 1e6), (1e12, -1e12, 1e-3), (0.0, 5.0, 1.0), (1e-30, 1e-30, 1e-30)],
)
def test_no_sum_overflows_whatever_the_numbers(rng, weight, bias, range_):
    net = ts.SparseMLP((300, 20, 2), density=1.0, activation=ts.AllReLU(0.6), seed=0, threads=1)
    for layer in net.layers:
        layer.values[:] = weight
        layer.bias[:] = bias
    network = DeviceNetwork.of(net)
    quantized = quantize(network, Ranges(range_, (range_,), (None,)))
    assert max(largest_sums(quantized.layers)) < 2**31
    assert all(np.abs(layer.weight.astype(int)).max() <= 127 for layer in quantized.layers)


def test_a_row_of_many_connections_has_a_coarser_scale():
    n = 200_000  # 127 * 128 * n is beyond 2^31
    weight = np.ones((1, n), np.float32)
    quantized = quantize(DeviceNetwork.of(ts.SparseMLP.from_matrices([weight])), Ranges(1.0, (), ()))
    assert 2**29 < max(largest_sums(quantized.layers)) < 2**31
    unit = quantized.layers[0].scale[0]
    np.testing.assert_allclose(quantized.layers[0].weight.astype(float) * unit, 1 / 127, rtol=0.02)


def test_slopes():
    net = ts.SparseMLP((4, 8, 8, 8, 2), epsilon=2, activation=ts.AllReLU(0.6), seed=0, threads=1)
    quantized = quantize(DeviceNetwork.of(net), Ranges(1.0, (1.0,) * 3, (None,) * 3))
    assert [layer.negative for layer in quantized.chain[:-1]] == [-19661, 19661, -19661]
    identity = ts.SparseMLP((4, 8, 2), epsilon=2, activation=ts.Identity(), seed=0, threads=1)
    assert quantize(DeviceNetwork.of(identity), Ranges(1.0, (1.0,), (None,))).layers[0].negative == ONE


def test_a_table_is_the_activation_of_its_places():
    net = ts.SparseMLP((4, 8, 2), epsilon=2, activation=ts.Tanh(), seed=0, threads=1)
    layer = quantize(DeviceNetwork.of(net), Ranges(1.0, (1.0,), (4.0,))).layers[0]
    expected = np.round(127 * np.tanh(np.arange(-128, 128) * 4.0 / 127))
    assert np.array_equal(layer.table, np.clip(expected, -127, 127))


def test_inputs_share_what_is_alike():
    net = ts.SparseMLP((4, 8, 2), epsilon=2, seed=0, threads=1)
    ranges = Ranges(1.0, (1.0,), (None,))
    network = DeviceNetwork.of(net)
    assert len(quantize(network, ranges).factor) == 1
    alike = replace(network, offset=np.full(4, 3, np.float32), factor=np.full(4, 2, np.float32))
    assert (quantize(alike, ranges).offset.tolist(), quantize(alike, ranges).factor.tolist()) == ([3], [127 * 2**17])
    differ = replace(alike, offset=np.arange(4, dtype=np.float32))
    assert len(quantize(differ, ranges).offset) == len(quantize(differ, ranges).factor) == 4


def network(sizes=(4, 8, 2), **changes):
    return replace(DeviceNetwork.of(ts.SparseMLP(sizes, epsilon=2, seed=0, threads=1)), **changes)


def with_activation(number, activation):
    made = network()
    layers = list(made.layers)
    layers[number] = replace(layers[number], activation=activation)
    return replace(made, layers=tuple(layers))


@pytest.mark.parametrize(
    ("of", "ranges", "message"),
    [
        (network(), Ranges(1.0, (), ()), "ranges must have 1 outputs, one per hidden layer, not 0"),
        (with_activation(0, (Kind.LEAKY, 1.5)), Ranges(1.0, (1.0,), (None,)), r"layers\[0\] has the left slope 1.5"),
        (with_activation(0, (Kind.TANH, 0.0)), Ranges(1.0, (1.0,), (None,)), r"ranges.sums\[0\] must be a number"),
        (with_activation(1, (Kind.TANH, 0.0)), Ranges(1.0, (1.0,), (None,)), r"layers\[1\], the output layer"),
        (network(), Ranges(1e-38, (1.0,), (None,)), "ranges.inputs is too small"),
        (
            network(output="sigmoid", target_offset=np.zeros(2, np.float32), target_factor=np.ones(2, np.float32)),
            Ranges(1.0, (1.0,), (None,)),
            "model has output='sigmoid' and target_scaling",
        ),
        (
            network(target_offset=np.zeros(2, np.float32), target_factor=np.full(2, 1e-38, np.float32)),
            Ranges(1.0, (1e10,), (None,)),
            r"layers\[1\] has scores beyond float32",
        ),
    ],
)
def test_what_eight_bits_are_not_made_for(of, ranges, message):
    with pytest.raises(InputError, match=message):
        quantize(of, ranges)
