from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.export.blob import blob_of
from trulysparse.io.blob_format import unpack


def sealed(data: bytearray) -> bytes:
    """With the size and checksum that belong to it."""
    struct.pack_into("<I", data, 8, len(data))
    struct.pack_into("<I", data, 12, zlib.crc32(data[16:], zlib.crc32(data[:12])))
    return bytes(data)


@pytest.fixture
def blob() -> bytearray:
    net = ts.SparseMLP((5, 6, 3), epsilon=2, seed=0, threads=1)
    return bytearray(blob_of(net))


def test_there_and_back(blob: bytearray) -> None:
    data = bytes(blob)
    assert unpack(data).pack() == data
    assert unpack(data + b"rest of a flash page").pack() == data


def test_layout_by_hand() -> None:
    """A network of one connection, read with struct alone."""
    net = ts.SparseMLP.from_matrices([[[0.0, 0.5]]], [[0.25]], output="identity", threads=1)
    data = blob_of(net)
    magic, version, size, _, layers, flags, step, evolutions, text, _ = struct.unpack_from("<4s9I", data)
    assert (magic, version, size, layers, step, evolutions) == (b"TSNB", 1, len(data), 1, 0, 0)
    assert flags & 3 == 2  # identity
    assert struct.unpack_from("<3I", data, 40) == (2, 1, 1)
    assert struct.unpack_from("<3Iff", data, 60) == (0, 0, 1, 0.5, 0.25)
    assert struct.unpack_from("<H", data, 80) == (0,)
    assert len(data) == 84 + -(-text // 4) * 4


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d[:30], "not a blob|cut off"),
        (lambda d: b"XXXX" + d[4:], "begin with TSNB"),
        (lambda d: d[:4] + struct.pack("<I", 9) + d[8:], "version 9"),
        (lambda d: d[:-1], "cut off"),
        (lambda d: d[:70] + bytes([d[70] ^ 1]) + d[71:], "checksum"),
    ],
)
def test_damage_is_found(blob: bytearray, change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        unpack(change(bytes(blob)))


@pytest.mark.parametrize(
    "at, value, message",
    [
        (16, 0, "0 layers"),
        (16, 5000, "5000 layers"),
        (20, 128, "flags 128"),
        (32, 1 << 30, "longer than it is"),
        (40, 0, "layer 0"),
        (44, 7, "layer 1 does not fit"),
        (48, 31, "31 connections"),
        (52, 9, "layer 0 does not fit"),
        (56, 0x7FC00000, "layer 0 does not fit"),
        (80, 1, "rows that do not follow"),
    ],
)
def test_what_contradicts_itself_is_refused(blob: bytearray, at: int, value: int, message: str) -> None:
    """With a checksum that is right."""
    struct.pack_into("<I", blob, at, value)
    with pytest.raises(InputError, match=message):
        unpack(sealed(blob))


def test_connections_out_of_order(blob: bytearray) -> None:
    layer = unpack(bytes(blob)).layers[0]
    index = bytes(layer.index.tobytes())
    at = bytes(blob).index(index, 100)
    for wrong in (layer.index[::-1], np.full_like(layer.index, 6)):
        blob[at : at + len(index)] = np.ascontiguousarray(wrong).tobytes()
        with pytest.raises(InputError, match="out of order"):
            unpack(sealed(blob))


def test_text_that_is_no_json(blob: bytearray) -> None:
    at = bytes(blob).index(b"{")
    blob[at] = ord("<")
    with pytest.raises(InputError, match="JSON"):
        unpack(sealed(blob))


def test_weights_that_are_not_finite(blob: bytearray) -> None:
    weight = unpack(bytes(blob)).layers[0].weight[:1].tobytes()
    at = bytes(blob).index(weight)
    blob[at : at + 4] = np.float32(np.nan).tobytes()
    with pytest.raises(InputError, match="not finite"):
        unpack(sealed(blob))
