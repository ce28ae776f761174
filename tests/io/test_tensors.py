"""safetensors files: checksums, values that are not finite, headers that are not sound."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io.tensors import Tensor, opened, write_tensors


def write(path, **arrays):
    write_tensors(path, [Tensor.of(name, array) for name, array in arrays.items()], {"e": '{"version": 1}'})


def read(path, *names, **options):
    with opened(path, "e", (1,), "thing") as file:
        return [file.read(name, **options) for name in names]


def header(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def put(path, head, data):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_every_flipped_bit_of_a_tensor_is_noticed(tmp_path):
    path = tmp_path / "t"
    write(path, a=np.arange(5, dtype=np.float32), b=np.arange(7))
    whole = path.read_bytes()
    _, data = header(path)
    for bit in range(8 * len(data)):
        at = len(whole) - len(data) + bit // 8
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit % 8]) + whole[at + 1 :])
        with pytest.raises(ts.InputError, match=r"checksum|holds"):
            read(path, "a", "b")
    path.write_bytes(whole)
    np.testing.assert_array_equal(read(path, "b")[0], np.arange(7))


def test_settings_that_were_changed_are_noticed(tmp_path):
    path = tmp_path / "t"
    write(path, a=np.ones(3))
    head, data = header(path)
    head["__metadata__"]["e"] = '{"version": 1, "more": 2}'
    put(path, head, data)
    with pytest.raises(ts.InputError, match="settings have changed"):
        read(path, "a")


def test_files_without_checksums_are_read(tmp_path):
    path = tmp_path / "t"
    write(path, a=np.ones(3))
    head, data = header(path)
    del head["__metadata__"]["crc32"]
    put(path, head, data)
    np.testing.assert_array_equal(read(path, "a")[0], np.ones(3))


def test_same_arrays_give_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / name, x=np.arange(9), y=np.ones(4))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_read_says_which_tensor_is_not_finite(tmp_path):
    write(tmp_path / "t", good=np.ones(3), bad=np.array([0.0, np.nan]))
    with pytest.raises(ts.InputError, match="bad holds NaN") as caught:
        read(tmp_path / "t", "good", "bad")
    assert str(tmp_path / "t") in str(caught.value)
    assert np.isnan(read(tmp_path / "t", "bad", finite=False)[0][1])


def put_in(*path_and_value):
    *path, last, value = path_and_value

    def change(head):
        for key in path:
            head = head[key]
        head[last] = value

    return change


HEADERS = {
    "beyond the file": put_in("a", "data_offsets", [0, 10**9]),
    "overlapping": lambda head: head.update(b=head["a"]),
    "reversed": put_in("a", "data_offsets", [16, 0]),
    "negative": put_in("a", "data_offsets", [-8, 16]),
    "shape": put_in("a", "shape", [10**12]),
    "no shape": lambda head: head["a"].pop("shape"),
    "type": put_in("a", "dtype", "F33"),
    "text": put_in("a", "text"),
    "metadata": put_in("__metadata__", "text"),
    "no metadata": lambda head: head.pop("__metadata__"),
    "settings": put_in("__metadata__", "e", "{"),
    **{f"settings are {text}": put_in("__metadata__", "e", text) for text in ("null", "[]", "3", '"x"', "NaN")},
    "deep settings": put_in("__metadata__", "e", "[" * 100_000),
    "sums": put_in("__metadata__", "crc32", "x"),
    "sums are a list": put_in("__metadata__", "crc32", "[1]"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_headers_that_are_not_sound_are_refused_by_file_name(tmp_path, what):
    path = tmp_path / "t"
    write(path, a=np.ones(2))
    head, data = header(path)
    HEADERS[what](head)
    put(path, head, data)
    with pytest.raises(ts.InputError) as caught:
        read(path, "a")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b'{"a":' + b"[" * 100_000, b"[]", b"null", b"\xff\xff"])
def test_headers_that_are_no_objects_are_refused(tmp_path, text):
    put(tmp_path / "t", text, b"")
    with pytest.raises(ts.InputError, match="truncated or not a thing"):
        read(tmp_path / "t", "a")


@pytest.mark.parametrize("size", [0, 3, 8, 2**40, 2**63])
def test_header_lengths_that_are_not_there_are_refused(tmp_path, size):
    path = tmp_path / "t"
    path.write_bytes(struct.pack("<Q", size) if size > 3 else b"x" * size)
    with pytest.raises(ts.InputError, match="truncated or not a thing"):
        read(path, "a")
