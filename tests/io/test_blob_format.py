"""The layout of blobs, read by hand, and what is refused."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest

from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError
from trulysparse.io.blob_format import Blob, BlobLayer, unpack


def blob(velocity: str | None = None) -> Blob:
    """A network 2-3-1 with 4 and 2 connections."""
    rng = np.random.default_rng(0)

    def layer(n_in, n_out, start, index, activation):
        moving = (
            None if velocity is None else rng.integers(0, 9, len(index)).astype("f4" if velocity == "float32" else "u2")
        )
        values = (rng.standard_normal(len(index)).astype("f4"), rng.standard_normal(n_out).astype("f4"))
        other = None if velocity is None else rng.standard_normal(n_out).astype("f4")
        rows = np.array(start, "u4"), np.array(index, "u2")
        return BlobLayer(n_in, n_out, *rows, *values, activation, moving, other)

    layers = [
        layer(2, 3, [0, 3, 4], [0, 1, 2, 1], (Kind.LEAKY, -0.5)),
        layer(3, 1, [0, 1, 1, 2], [0, 0], (Kind.IDENTITY, 1.0)),
    ]
    scaling = np.array([1, 2], "f4"), np.array([3, 4], "f4")
    return Blob(layers, "softmax", False, scaling, None, velocity, 7, 2, {"labels": ["a"]})


def resealed(data: bytes) -> bytes:
    """With the checksum of what it holds now."""
    return data[:12] + struct.pack("<I", zlib.crc32(data[16:], zlib.crc32(data[:12]))) + data[16:]


@pytest.mark.parametrize("velocity", [None, "float32", "bfloat16"])
def test_a_blob_comes_back(velocity):
    before = blob(velocity)
    after = unpack(before.pack())
    assert (after.layer_sizes, after.output, after.velocity) == ([2, 3, 1], "softmax", velocity)
    assert (after.step, after.evolutions, after.text) == (7, 2, {"labels": ["a"]})
    for a, b in zip(before.layers, after.layers, strict=True):
        assert b.activation == a.activation
        for name in ("start", "index", "weight", "bias", "velocity", "bias_velocity"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert unpack(before.pack() + b"rest of a page").layer_sizes == [2, 3, 1]


def test_the_layout_is_that_of_the_header_of_the_runtime():
    """Read here by the description in ts_blob.h alone."""
    made = blob("bfloat16")
    data = made.pack()
    words = struct.unpack_from("<10I", data)
    assert (data[:4], words[1], words[2]) == (b"TSNB", 1, len(data))
    assert words[3] == zlib.crc32(data[:12] + data[16:])
    assert words[4:] == (2, 8 | 2 << 5, 7, 2, len(json.dumps({"labels": ["a"]}, separators=(",", ":"))), 0)
    assert struct.unpack_from("<4If", data, 40) == (2, 3, 4, 1 + 256, -0.5)
    at = 40 + 2 * 20
    assert np.frombuffer(data, "<f4", 4, at).tolist() == [1, 2, 3, 4]
    first = made.layers[0]
    assert np.frombuffer(data, "<u4", 3, at + 16).tolist() == [0, 3, 4]
    assert np.array_equal(np.frombuffer(data, "<f4", 4, at + 28), first.weight)
    assert np.array_equal(np.frombuffer(data, "<f4", 3, at + 44), first.bias)
    assert np.array_equal(np.frombuffer(data, "<f4", 3, at + 56), first.bias_velocity)
    assert np.array_equal(np.frombuffer(data, "<u2", 4, at + 68), first.velocity)
    assert np.frombuffer(data, "<u2", 4, at + 76).tolist() == [0, 1, 2, 1]


def test_every_changed_byte_and_every_cut_is_found():
    data = blob().pack()
    for at in range(len(data)):
        with pytest.raises(InputError):
            unpack(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])
        with pytest.raises(InputError):
            unpack(data[:at])


@pytest.mark.parametrize(
    "at, value, message",
    [
        (4, 2, "version 2"),
        (20, 3, "flags 3"),
        (16, 0, "0 layers"),
        (60, 4, "layer 1 does not fit the others"),
        (48, 70, "70 connections"),
        (80 + 16 + 4, 5, "rows that do not follow"),
    ],
)
def test_what_does_not_hold_together_is_refused_though_its_checksum_is_right(at, value, message):
    data = blob().pack()
    with pytest.raises(InputError, match=message):
        unpack(resealed(data[:at] + struct.pack("<I", value) + data[at + 4 :]))


def test_connections_out_of_order_and_numbers_that_are_none_are_refused():
    data = blob().pack()
    index = 80 + 16 + 12 + 16 + 12
    with pytest.raises(InputError, match="out of order"):
        unpack(resealed(data[:index] + struct.pack("<4H", 1, 1, 2, 1) + data[index + 8 :]))
    with pytest.raises(InputError, match="not finite"):
        unpack(resealed(data[:80] + struct.pack("<f", np.nan) + data[84:]))
