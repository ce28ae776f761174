"""Blobs: a network as bytes for devices, which C reads and writes too (export/c_runtime/ts_blob.h has the layout)."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._kernels import Activation as Kind
from trulysparse.errors import InputError

MAGIC, VERSION = b"TSNB", 1
MAX_WIDTH = 1 << 16
OUTPUTS = ("softmax", "sigmoid", "identity")
VELOCITIES = (None, "float32", "bfloat16")
_HEADER, _LAYER = struct.Struct("<4s9I"), struct.Struct("<4If")
_SKIP, _SCALED, _TARGETS_SCALED, _HAS_BIAS, _MAX_LAYERS, _MAX_BYTES = 4, 8, 16, 256, 1024, (1 << 32) - 1


@dataclass(frozen=True, eq=False)
class BlobLayer:
    """A layer by input neuron.

    Args:
        n_in: neurons that it reads.
        n_out: neurons that it writes.
        start: (n_in + 1,) uint32; the connections of input i are start[i] to start[i + 1].
        index: (n_connections,) uint16, output neurons, ascending within an input.
        weight: (n_connections,) float32.
        bias: (n_out,) float32, or None of a layer without.
        activation: (kind, slope).
        velocity: (n_connections,) float32, or bfloat16 as uint16; None: there is no momentum.
        bias_velocity: (n_out,) float32, where there are momentum and biases.
    """

    n_in: int
    n_out: int
    start: NDArray[np.uint32]
    index: NDArray[np.uint16]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    activation: tuple[Kind, float]
    velocity: NDArray[Any] | None = None
    bias_velocity: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Blob:
    """What a blob holds.

    Args:
        layers: first to last, a skip layer last.
        output: 'softmax', 'sigmoid' or 'identity'.
        skip: whether the last layer goes from the inputs to the outputs' sums.
        scaling: (offset, factor) of the inputs, float32, or None.
        target_scaling: (offset, factor) of the targets, or None.
        velocity: 'float32' or 'bfloat16', the type of the momentum, or None.
        step: updates so far.
        evolutions: so far.
        text: what only Python reads; JSON.
    """

    layers: Sequence[BlobLayer]
    output: str
    skip: bool = False
    scaling: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    target_scaling: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    velocity: str | None = None
    step: int = 0
    evolutions: int = 0
    text: dict[str, Any] = field(default_factory=dict)

    @property
    def layer_sizes(self) -> list[int]:
        """Neurons per layer, input first."""
        chain = self.layers[: len(self.layers) - self.skip]
        return [chain[0].n_in, *(layer.n_out for layer in chain)]

    def pack(self) -> bytes:
        """The bytes.

        Returns:
            What `unpack` and the C runtime read.

        Raises:
            InputError: where a layer has more than 65,536 neurons, or all is beyond 4 GiB.

        Example:
            >>> import trulysparse as ts
            >>> from trulysparse.export.blob import blob_of
            >>> blob_of(ts.SparseMLP((4, 8, 2), epsilon=1))[:4]
            b'TSNB'
        """
        if max(self.layer_sizes) > MAX_WIDTH:
            widest = max(self.layer_sizes)
            raise InputError(
                f"the network has a layer of {widest} neurons; devices train layers of at most {MAX_WIDTH}"
            )
        text = json.dumps(self.text, separators=(",", ":")).encode() if self.text else b""
        parts = []
        for layer in self.layers:
            kind, slope = layer.activation
            has_bias = _HAS_BIAS if layer.bias is not None else 0
            parts.append(_LAYER.pack(layer.n_in, layer.n_out, len(layer.weight), int(kind) | has_bias, slope))
        for scaling in (self.scaling, self.target_scaling):
            parts += [] if scaling is None else [_padded(array, "<f4") for array in scaling]
        for layer in self.layers:
            floats = (layer.weight, layer.bias, layer.velocity if self.velocity == "float32" else None)
            parts.append(_padded(layer.start, "<u4"))
            parts += [_padded(array, "<f4") for array in (*floats, layer.bias_velocity) if array is not None]
            if self.velocity == "bfloat16":
                parts.append(_padded(layer.velocity, "<u2"))
            parts.append(_padded(layer.index, "<u2"))
        parts.append(text + b"\0" * (-len(text) % 4))
        size = _HEADER.size + sum(map(len, parts))
        if size > _MAX_BYTES:
            raise InputError(f"the network takes {size / 1e9:.3g} GB as a blob; at most 4.29 are possible")
        flags = OUTPUTS.index(self.output) | _SKIP * self.skip | VELOCITIES.index(self.velocity) << 5
        flags |= _SCALED * (self.scaling is not None) | _TARGETS_SCALED * (self.target_scaling is not None)
        counters = (len(self.layers), flags, self.step, self.evolutions, len(text), 0)
        body = b"".join(parts)
        checksum = zlib.crc32(body, zlib.crc32(struct.pack("<6I", *counters), zlib.crc32(_start(size))))
        return _HEADER.pack(MAGIC, VERSION, size, checksum, *counters) + body


def unpack(data: bytes) -> Blob:
    """Reads a blob.

    Args:
        data: its bytes; what follows a whole blob, such as the rest of a flash page, is not looked at.

    Returns:
        What it holds.

    Raises:
        InputError: where it is of another version, cut off, changed, or does not hold together.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.blob import blob_of
        >>> unpack(blob_of(ts.SparseMLP((4, 8, 2), epsilon=1))).layer_sizes
        [4, 8, 2]
    """
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise InputError("it is not a blob of a device's network: those begin with TSNB")
    _, version, size, checksum, n_layers, flags, step, evolutions, text_bytes, _ = _HEADER.unpack_from(data)
    if version != VERSION:
        raise InputError(f"it has blob version {version}; this release reads version {VERSION}")
    if not _HEADER.size <= size <= len(data):
        raise InputError(f"it is cut off: it says that it has {size} bytes, and there are {len(data)}")
    data = data[:size]
    if checksum != zlib.crc32(data[16:], zlib.crc32(data[:12])):
        raise InputError("it has changed since it was written (its checksum differs)")
    skip, velocity = bool(flags & _SKIP), flags >> 5
    if flags > 127 or flags & 3 == 3 or velocity == 3 or not skip < n_layers <= _MAX_LAYERS:
        raise InputError(f"it has flags {flags} and {n_layers} layers, which no network has")
    reader = _Reader(data, _HEADER.size)
    heads = [_LAYER.unpack(reader.take(_LAYER.size)) for _ in range(n_layers)]
    _check_heads(heads, skip)
    n_in, n_out = heads[0][0], heads[-1][1]
    scaling = (reader.floats(n_in), reader.floats(n_in)) if flags & _SCALED else None
    targets = (reader.floats(n_out), reader.floats(n_out)) if flags & _TARGETS_SCALED else None
    layers = [_layer(reader, number, head, VELOCITIES[velocity]) for number, head in enumerate(heads)]
    text = reader.take(text_bytes)
    if len(data) - reader.at not in range(4):
        raise InputError(f"it has {len(data) - reader.at} bytes more than its network")
    return Blob(layers, OUTPUTS[flags & 3], skip, scaling, targets, VELOCITIES[velocity], step, evolutions, _json(text))


def _start(size: int) -> bytes:
    return struct.pack("<4s2I", MAGIC, VERSION, size)


def _padded(array: Any, kind: str) -> bytes:
    data = np.ascontiguousarray(array, kind).tobytes()
    return data + b"\0" * (-len(data) % 4)


class _Reader:
    """Arrays one after the other, or InputError where they end too early."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise InputError("its arrays are longer than it is")
        self.at += count
        return self.data[self.at - count : self.at]

    def integers(self, count: int, kind: str) -> NDArray[Any]:
        found = np.frombuffer(self.take(count * int(kind[-1])), kind).copy()
        self.at += -self.at % 4
        return found

    def floats(self, count: int) -> NDArray[np.float32]:
        found = self.integers(count, "<f4")
        if not np.isfinite(found).all():
            raise InputError("it holds numbers that are not finite")
        return found


def _check_heads(heads: Sequence[tuple[int, int, int, int, float]], skip: bool) -> None:
    """InputError where layers cannot follow each other."""
    chain = heads[: len(heads) - skip]
    for number, (n_in, n_out, count, kind, slope) in enumerate(heads):
        before = chain[number - 1][1] if 0 < number < len(chain) else n_in
        if number >= len(chain) and (n_in, n_out, kind >> 8) != (chain[0][0], chain[-1][1], 0):
            before = -1
        if kind & 255 > max(Kind) or kind >> 8 > 1 or before != n_in or not np.isfinite(slope):
            raise InputError(f"layer {number} does not fit the others")
        if not (1 <= n_in <= MAX_WIDTH and 1 <= n_out <= MAX_WIDTH and count <= n_in * n_out):
            raise InputError(f"layer {number} has {n_in} inputs, {n_out} outputs and {count} connections")
        if number >= len(chain) - 1 and kind & 255 != Kind.IDENTITY:
            raise InputError(f"layer {number} leads to the outputs and must not have an activation")


def _layer(reader: _Reader, number: int, head: tuple[int, int, int, int, float], velocity: str | None) -> BlobLayer:
    """The arrays of a layer, whose numbers are checked."""
    n_in, n_out, count, kind, slope = head
    start, weight = reader.integers(n_in + 1, "<u4"), reader.floats(count)
    bias = reader.floats(n_out) if kind >> 8 else None
    moving = reader.integers(count, "<f4") if velocity == "float32" else None
    bias_velocity = reader.integers(n_out, "<f4") if velocity and bias is not None else None
    if velocity == "bfloat16":
        moving = reader.integers(count, "<u2")
    index = reader.integers(count, "<u2")
    if start[0] or start[-1] != count or (start[1:] < start[:-1]).any():
        raise InputError(f"layer {number} has rows that do not follow each other")
    lengths = (start[1:] - start[:-1]).astype(np.int64)
    row = np.repeat(np.arange(n_in), lengths)
    place = row * MAX_WIDTH + index
    if count and (index.max() >= n_out or (np.diff(place) <= 0).any()):
        raise InputError(f"layer {number} has connections out of order, or to neurons that are not there")
    return BlobLayer(n_in, n_out, start, index, weight, bias, (Kind(kind & 255), slope), moving, bias_velocity)


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"its text is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError("its text is not a JSON object")
    return found
