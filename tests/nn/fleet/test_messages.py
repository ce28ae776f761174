"""Messages of models: bytes as devices send them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.fleet.messages import decode_model, encode_model, index_bytes_of, message_bytes


def small(**settings):
    """Two agents, of 3 + 1 and of 1 + 1 connections, with biases."""
    first = [[[0, 2.0, 0], [1.0, 0, 3.0]], [[0.5], [0], [0]]]
    second = [[[0, 0, 0], [0, -1.5, 0]], [[0], [0], [-0.25]]]
    nets = [
        ts.SparseMLP.from_matrices([np.array(m).T for m in matrices], output="identity", **settings)
        for matrices in (first, second)
    ]
    fleet = ts.Fleet.from_networks(nets)
    fleet.layers[0].bias[:] = [1, 2, 3, 4, 5, 6]
    fleet.layers[1].bias[:] = [7, 1.00390625]  # halfway between two of bfloat16's numbers: 1, the even one
    return fleet


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_of_a_small_message_one_by_one(dtype):
    fleet = small(dtype=dtype)
    expected = struct.pack("<4H", 1, 3, 5, 6) + struct.pack("<8f", 2, 1, 3, 0.5, 1, 2, 3, 7)
    assert encode_model(fleet, 0, "float32") == expected
    halves = [0xBFC0, 0xBE80, 0x4080, 0x40A0, 0x40C0, 0x3F80]  # -1.5, -0.25, 4, 5, 6, 1
    assert encode_model(fleet, -1) == struct.pack("<8H", 4, 8, *halves)
    assert message_bytes(fleet).tolist() == [24, 16]
    assert message_bytes(fleet, 2, 4).tolist() == [40, 28]
    assert message_bytes(fleet, 4, 2).tolist() == [32, 20]


@pytest.mark.parametrize("values", ["bfloat16", "float32"])
@pytest.mark.parametrize("sizes", [(20, 30, 4), (300, 300)])
def test_what_is_encoded_is_decoded(sizes, values):
    fleet = ts.Fleet(3, sizes, density=0.1, seed=1)
    for layer in fleet.layers:
        layer.bias[:] = np.random.default_rng(0).standard_normal(layer.bias.shape)
    width = 4 if sizes[0] == 300 else 2
    assert index_bytes_of(fleet) == width
    message = encode_model(fleet, 2, values)
    assert len(message) == message_bytes(fleet, width, 2 if values == "bfloat16" else 4)[2]
    places, weights, biases = decode_model(fleet, message, values)
    net, tolerance = fleet[2], 2**-8 if values == "bfloat16" else 0
    np.testing.assert_allclose(weights, np.concatenate([layer.values for layer in net.layers]), rtol=tolerance)
    np.testing.assert_allclose(biases, np.concatenate([layer.bias for layer in net.layers]), rtol=tolerance)
    first = places[: net.layers[0].n_connections]
    np.testing.assert_array_equal(first % sizes[1], net.layers[0].connectivity.by_input.index)


def test_wrong_messages_and_bytes_are_refused():
    fleet = small()
    message = encode_model(fleet, 0)
    twice = struct.pack("<2H", 3, 3) + message[4:]
    beyond = struct.pack("<4H", 1, 3, 5, 9) + message[8:]
    for wrong in (message[:-1], message[:3], b"", twice, beyond):
        with pytest.raises(ts.InputError, match="message must be that of an agent of sizes 2-3-1"):
            decode_model(fleet, wrong)
    for call, text in [
        (lambda: encode_model(fleet, 0, "float16"), "values"),
        (lambda: decode_model(fleet, message, "float16"), "values"),
        (lambda: message_bytes(fleet, 3), "index_bytes must be 2 or 4"),
        (lambda: message_bytes(fleet, 2, 8), "value_bytes must be 2 or 4"),
        (lambda: message_bytes(ts.Fleet(1, (300, 300), density=0.1)), "has 90000 places, and 2 bytes tell 65536"),
    ]:
        with pytest.raises(ts.InputError, match=text):
            call()
    with pytest.raises(IndexError):
        encode_model(fleet, 2)
